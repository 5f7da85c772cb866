"""The ledger: the record of rehearsals and releases. It stores rehearsal documents and shows them."""
