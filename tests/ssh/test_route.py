"""Which hops ssh_config names, and what counts for each."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.ssh import route as rooms
from greenroom.ssh.route import Hop, as_typed, route


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(rooms, "SYSTEM", tmp_path / "etc")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "etc").mkdir()
    return tmp_path


def configured(home: Path, text: str) -> None:
    (home / ".ssh" / "config").write_text(text)


def places(via: str) -> list[str]:
    return [hop.label for hop in route(via)]


def test_host_without_configuration(home: Path) -> None:
    (hop,) = route("deploy@vpn.example.com:2222")
    assert hop == Hop(
        host="vpn.example.com",
        port=2222,
        user="deploy",
        known_as="[vpn.example.com]:2222",
        known_hosts=(
            home / ".ssh/known_hosts",
            home / ".ssh/known_hosts2",
            home / "etc/ssh_known_hosts",
            home / "etc/ssh_known_hosts2",
        ),
    )
    assert places("vpn.example.com") == [f"{getpass.getuser()}@vpn.example.com"]
    assert places("me@[fd00::1]:22") == ["me@fd00::1"]


@pytest.mark.parametrize("via", ["", "a b", "user@", "-oProxyCommand=id", "me@-host", "host:port", "a@b@c:1:2"])
def test_what_names_no_host_is_refused(via: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        route(via)
    assert str(caught.value) == (
        f"{via!r} names no SSH host.\n  Write USER@HOST, USER@HOST:PORT or an alias of ssh_config."
    )


def test_alias_takes_everything_from_the_configuration(home: Path) -> None:
    configured(
        home,
        """
        Host vpn
            HostName VPN.example.com
            Port 2200
            User deploy
            IdentityFile ~/.ssh/id_vpn
            IdentitiesOnly yes
            UserKnownHostsFile ~/known_one "%d/known two" none
            GlobalKnownHostsFile /dev/null
            ConnectTimeout 9
            ProxyCommand nc -X 5 %h %p
        """,
    )
    (hop,) = route("vpn")
    assert hop == Hop(
        host="VPN.example.com",
        port=2200,
        user="deploy",
        known_as="[vpn.example.com]:2200",
        known_hosts=(home / "known_one", home / "known two", Path("/dev/null")),
        identity_files=(home / ".ssh/id_vpn",),
        identities_only=True,
        proxy_command="nc -X 5 VPN.example.com 2200",
        seconds=9,
    )


def test_names_of_files_may_be_quoted(home: Path) -> None:
    configured(
        home,
        """
        Host vpn
            UserKnownHostsFile "~/one two" "%d/three" # ours
            GlobalKnownHostsFile="~/it's %%d"
            IdentityFile "~/.ssh/my key"
            IdentityFile ~/.ssh/other
        """,
    )
    (hop,) = route("vpn")
    assert hop.known_hosts[:2] == (home / "one two", home / "three")
    assert hop.known_hosts[-1] == home / "it's %d"
    assert hop.identity_files == (home / ".ssh/my key", home / ".ssh/other")


def test_only_a_tilde_at_the_beginning_is_a_home(home: Path) -> None:
    configured(
        home,
        """
        Host vpn
            IdentityFile /keys/~old/id
            IdentityFile ~/.ssh/a~b
            IdentityFile "~/two ~ words"
            IdentityFile ~root/id
            UserKnownHostsFile ~/known~1 /known/~2
            ProxyCommand ~/bin/nc~1 %h
        """,
    )
    (hop,) = route("vpn")
    assert hop.identity_files == (
        Path("/keys/~old/id"),
        home / ".ssh/a~b",
        home / "two ~ words",
        Path("~root").expanduser() / "id",
    )
    assert hop.known_hosts[:2] == (home / "known~1", Path("/known/~2"))
    assert hop.proxy_command == "~/bin/nc~1 vpn"


@pytest.mark.parametrize("line", ["IdentityFile ~nobody-here/id", "UserKnownHostsFile ~nobody-here/id"])
def test_home_of_nobody_is_told(home: Path, line: str) -> None:
    configured(home, f"{line}\nHost vpn\n")
    with pytest.raises(GreenroomError, match=r"^ssh_config cannot be read: ~nobody-here/id begins with a user whose "):
        route("vpn")
    configured(home, "Include ~nobody-here/config\n")
    with pytest.raises(GreenroomError, match="~nobody-here/config begins"):
        route("vpn")


def test_home_whose_name_has_a_blank(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = home / "it's home"
    (there / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(there))
    configured(there, "IdentityFile ~/.ssh/key\nUserKnownHostsFile ~/known\n")
    (hop,) = route("vpn")
    assert (hop.identity_files, hop.known_hosts[0]) == ((there / ".ssh/key",), there / "known")


def test_included_after_a_tab_and_by_an_equals_sign(home: Path) -> None:
    configured(home, "Include\tone\nInclude = a=b\n")
    (home / ".ssh/one").write_text("Host vpn\n\tUser u\n")
    (home / ".ssh/a=b").write_text("Host vpn\n Port 2\n")
    assert places("vpn") == ["u@vpn:2"]


@pytest.mark.parametrize("line", ["IdentityFile ~/it's", "UserKnownHostsFile ~/it's", "Include it's"])
def test_quotation_mark_that_is_missing_is_told(home: Path, line: str) -> None:
    configured(home, f"{line}\n")
    with pytest.raises(GreenroomError, match=r"^ssh_config cannot be read: \S*it's lacks a quotation mark\."):
        route("vpn")


def test_comments_after_names_are_none_of_these(home: Path) -> None:
    """Also in the block of another host, and with an apostrophe in it; a # inside a name is its own."""
    configured(
        home, "Host other\n IdentityFile ~/.ssh/work # Bob's\nHost vpn\n IdentityFile ~/.ssh/key#1 # it's mine\n"
    )
    (hop,) = route("vpn")
    assert hop.identity_files == (home / ".ssh/key#1",)
    configured(home, 'UserKnownHostsFile ~/one "~/t#wo" #don\'t\n')
    (hop,) = route("vpn")
    assert hop.known_hosts[:2] == (home / "one", home / "t#wo")


def test_user_and_port_of_via_win_also_in_the_proxy_command(home: Path) -> None:
    configured(home, "Host vpn\n Port 2200\n User deploy\n ProxyCommand nc %r %h %p\n")
    (hop,) = route("me@vpn:23")
    assert (hop.user, hop.port, hop.proxy_command) == ("me", 23, "nc me vpn 23")


def test_alias_of_the_host_key_knows_no_port(home: Path) -> None:
    configured(home, "Host vpn\n HostKeyAlias The-VPN\n Port 2200\n")
    assert route("vpn")[0].known_as == "the-vpn"


def test_users_file_wins_over_the_systems(home: Path) -> None:
    configured(home, "Host vpn\n User mine\n")
    (home / "etc/ssh_config").write_text("Host *\n User theirs\n Port 24\n")
    assert places("vpn") == ["mine@vpn:24"]


def test_included_files_count_where_they_stand(home: Path) -> None:
    configured(home, "Include conf.d/*\nHost vpn\n Port 2\n Include more\n User late\n")
    (home / ".ssh/conf.d").mkdir()
    (home / ".ssh/conf.d/a").write_text("Host vpn\n HostName a.example.com\n")
    (home / ".ssh/more").write_text("Host other\n User other\n")
    assert places("vpn") == ["late@a.example.com:2"]


def test_hops_come_in_order_each_with_its_own_configuration(home: Path) -> None:
    configured(
        home,
        """
        Host inner
            User i
            ProxyJump first,me@second:23
        Host first
            User f
            ProxyJump zeroth
            ProxyCommand never
        Host second
            User s
            ProxyJump not-this-one
            ProxyCommand nor this
        Host zeroth
            User z
            ProxyCommand nc %h %p
        """,
    )
    hops = route("inner")
    assert [hop.label for hop in hops] == ["z@zeroth", "f@first", "me@second:23", "i@inner"]
    assert [hop.proxy_command for hop in hops] == ["nc zeroth 22", None, None, None]


def test_first_of_jump_and_command_counts_and_none_is_none(home: Path) -> None:
    configured(home, "Host a\n ProxyCommand nc\n ProxyJump b\nHost c\n ProxyJump none\nHost *\n ProxyJump b\n User u\n")
    assert [(hop.label, hop.proxy_command) for hop in route("a")] == [("u@a", "nc")]
    assert places("c") == ["u@c"]


def test_circle_of_hops_is_refused(home: Path) -> None:
    configured(home, "Host *\n ProxyJump jump\n")
    with pytest.raises(GreenroomError) as caught:
        route("vpn")
    assert str(caught.value) == (
        "ProxyJump leads in a circle: vpn -> jump -> jump.\n"
        "  Write `ProxyJump none` under the first hop's Host in ~/.ssh/config."
    )


@pytest.mark.parametrize("text", ["Host 'open\n", "Host vpn\n Port many\n", "Match\n", "CanonicalizeHostname yes\n"])
def test_configuration_that_cannot_be_read_is_named(text: str, home: Path) -> None:
    configured(home, text)
    with pytest.raises(GreenroomError) as caught:
        route("vpn")
    assert str(caught.value).startswith("~/.ssh/config cannot be read: ")
    assert str(caught.value).endswith("\n  Correct it; `ssh -G vpn` shows how ssh reads it.")


def test_configuration_that_is_not_there_is_named(home: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        route("vpn", home / "nowhere")
    assert str(caught.value) == f"{home}/nowhere is not there.\n  Name an ssh_config that can be read."


def test_command_for_hints() -> None:
    assert as_typed("vpn", None) == "ssh vpn"
    assert as_typed("me@vpn:23", Path("/tmp/a b")) == "ssh -F '/tmp/a b' -p 23 me@vpn"
