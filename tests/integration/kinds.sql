-- columns of all kinds that ANALYZE tells of in its own way, with common values, bounds, and odd characters in both
CREATE DOMAIN public.deep AS text CHECK (value <> '');
CREATE DOMAIN public.deeper AS public.deep;
CREATE DOMAIN public.deeps AS public.deep[];
CREATE TYPE public.suit AS ENUM ('a', 'b "c"');
CREATE TYPE public.two AS (x int, y text);
CREATE TABLE public.kinds (
    b bool, by bytea, n name, i2 smallint, i4 int, i8 bigint, r real, d double precision, nu numeric(10, 3), m money,
    t text, v varchar(40), bp char(7), u uuid, j json, jb jsonb, da date, ti time, tz timetz, ts timestamp(3),
    tt timestamptz, iv interval, ip inet, ci cidr, ma macaddr, bi bit(3), vb varbit, p point, e public.suit,
    ae public.suit[], ai int[], at text[], av varchar(9)[], dd public.deeper, ds public.deeps, tv tsvector,
    o public.two, ao public.two[], pl pg_lsn, tc text COLLATE "C", ch "char", nothing text, gone int);
INSERT INTO public.kinds
SELECT n % 3 = 0, decode(md5((n % 5)::text), 'hex'), 'n' || n % 7, n % 9, n % 50, n, n / 3.0, n / 7.0, n / 9.0,
       n % 8 * 1.1, E'a\\b"c, {}' || n % 6, 'v' || n, 'p' || n % 4, md5(n::text)::uuid, '{}',
       jsonb_build_object('a', n % 9), date '2000-01-01' + n % 40, time '10:00' + n % 7 * interval '1 min',
       timetz '10:00+02' + n % 7 * interval '1 min', timestamp '2000-01-01' + n * interval '1.5 s',
       timestamptz '2000-01-01Z' + n % 33 * interval '1 s', n % 5 * interval '1 mon -3 days',
       inet '10.0.0.1' + n % 9, '10.0.0.0/8', '08:00:2b:01:02:03', (n % 8)::bit(3), (n % 8)::bit(3), point(n, 1),
       (ARRAY['a', 'b "c"'])[1 + n % 2]::public.suit, ARRAY['a', 'b "c"']::public.suit[], ARRAY[n % 5, n % 11, NULL],
       ARRAY['x' || n % 9, 'NULL', E'q"\\'], ARRAY['v' || n % 3], 'd' || n % 5, ARRAY['d' || n % 5],
       to_tsvector('english', 'cats ran ' || n % 12), ROW(n % 3, 'a,"b')::public.two, ARRAY[ROW(n % 3, 'a')::public.two],
       '0/16'::pg_lsn, 't' || n % 6, 'c', NULL, 1
FROM generate_series(1, 3000) n;
ALTER TABLE public.kinds DROP COLUMN gone;
ALTER TABLE public.kinds ALTER nothing SET STATISTICS 0, ALTER i8 SET (n_distinct = -0.5);
CREATE INDEX ON public.kinds (lower(t), i4, (i4 % 3));
CREATE TABLE public.parted (id int, what text) PARTITION BY RANGE (id);
CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE public.parted_2 PARTITION OF public.parted DEFAULT;
INSERT INTO public.parted SELECT n, 'w' || n % 3 FROM generate_series(1, 3000) n;
CREATE TABLE public.base (id int, what text);
CREATE TABLE public.base_more (more text) INHERITS (public.base);
INSERT INTO public.base SELECT n, 'w' || n % 3 FROM generate_series(1, 500) n;
INSERT INTO public.base_more SELECT n, 'w' || n % 7, 'm' FROM generate_series(1, 900) n;
-- these are left to ANALYZE: extended statistics, a range, an index whose statistics are of another type than it holds
CREATE TABLE public.extended (a int, b int);
INSERT INTO public.extended SELECT n % 5, n % 5 FROM generate_series(1, 1000) n;
CREATE STATISTICS public.together ON a, b FROM public.extended;
CREATE TABLE public.ranged (r int4range);
INSERT INTO public.ranged SELECT int4range(n, n + n % 9 + 1) FROM generate_series(1, 1000) n;
CREATE TABLE public.searched (t text);
INSERT INTO public.searched SELECT 'cats ran ' || n % 12 FROM generate_series(1, 1000) n;
CREATE INDEX ON public.searched USING gin (to_tsvector('english', t));
CREATE MATERIALIZED VIEW public.shown AS SELECT what, count(*) FROM public.base GROUP BY what;
