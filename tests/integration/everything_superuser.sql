CREATE EXTENSION postgres_fdw;
CREATE ACCESS METHOD another_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE public.in_another_heap (id int) USING another_heap; INSERT INTO public.in_another_heap VALUES (1);

CREATE TYPE shop.shell;
CREATE TYPE shop.base;
CREATE FUNCTION shop.base_in(cstring) RETURNS shop.base LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION shop.base_out(shop.base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE shop.base (INPUT = shop.base_in, OUTPUT = shop.base_out, LIKE = int4);
CREATE CAST (int AS shop.base) WITHOUT FUNCTION AS IMPLICIT;
CREATE TABLE public.of_base (b shop.base, many shop.base[]); INSERT INTO public.of_base VALUES ('7', '{1,NULL}');
CREATE OPERATOR FAMILY shop.odd_ops USING btree;
CREATE OPERATOR CLASS shop.backwards_ops FOR TYPE int USING btree FAMILY shop.odd_ops AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 shop.backwards(int, int);
CREATE INDEX people_backwards ON shop.people (amount shop.backwards_ops);

ALTER TABLE shop.rooms FORCE ROW LEVEL SECURITY;
ALTER TABLE "Ünï ""code"" schéma"."Tàble.with ""dots"" & ''quotes''" OWNER TO "Every ""Odd"" Rôle";

CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'x');
CREATE USER MAPPING FOR every_owner SERVER far OPTIONS (user 'u');
CREATE FOREIGN TABLE shop.far_away (id int OPTIONS (column_name 'i'), x text) SERVER far OPTIONS (table_name 't');
COMMENT ON SERVER far IS 'far'; GRANT USAGE ON FOREIGN SERVER far TO every_reader;
CREATE TABLE shop.sales_far (k int NOT NULL, v text) PARTITION BY LIST (k);
CREATE FOREIGN TABLE shop.sales_far_1 PARTITION OF shop.sales_far FOR VALUES IN (1) SERVER far;
CREATE TABLE shop.sales_far_2 PARTITION OF shop.sales_far FOR VALUES IN (2);
INSERT INTO shop.sales_far VALUES (2, 'near');

CREATE PUBLICATION some_of_it FOR TABLE shop.hashed WHERE (k > 5), TABLES IN SCHEMA public
    WITH (publish = 'insert', publish_via_partition_root = true);
CREATE PUBLICATION everything FOR ALL TABLES; COMMENT ON PUBLICATION everything IS 'all';
-- it stays behind, and is in no copy
CREATE SUBSCRIPTION of_others CONNECTION 'host=nowhere.invalid password=n0t-for-copies' PUBLICATION theirs
    WITH (connect = false, slot_name = NONE);
COMMENT ON SUBSCRIPTION of_others IS 'theirs';

CREATE TABLE public.ddl (tag text);
CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.ddl VALUES (tg_tag); END';
CREATE EVENT TRIGGER note_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX')
    EXECUTE FUNCTION public.on_ddl();
CREATE EVENT TRIGGER sleeping ON sql_drop EXECUTE FUNCTION public.on_ddl(); ALTER EVENT TRIGGER sleeping DISABLE;
COMMENT ON EVENT TRIGGER note_ddl IS 'told';

GRANT SELECT, UPDATE ON shop.parents TO every_reader WITH GRANT OPTION;
SET ROLE every_reader; GRANT SELECT ON shop.parents TO "Every ""Odd"" Rôle"; RESET ROLE;
ALTER DEFAULT PRIVILEGES FOR ROLE "Every ""Odd"" Rôle" GRANT USAGE ON TYPES TO every_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE "Every ""Odd"" Rôle" GRANT ALL ON SEQUENCES TO every_reader WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION shop.told FROM PUBLIC; GRANT USAGE ON TYPE shop.mood TO every_reader; REVOKE USAGE ON TYPE shop.pair FROM PUBLIC;
ALTER SCHEMA public OWNER TO every_owner; REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO every_reader;
SELECT lo_from_bytea(90004, 'odd'); ALTER LARGE OBJECT 90004 OWNER TO "Every ""Odd"" Rôle";
GRANT UPDATE ON LARGE OBJECT 90004 TO every_owner WITH GRANT OPTION;
