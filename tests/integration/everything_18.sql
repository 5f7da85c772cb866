CREATE TABLE shop.computed (a int, stored int GENERATED ALWAYS AS (a + 1) STORED, virtual int GENERATED ALWAYS AS (a * 2));
INSERT INTO shop.computed SELECT n FROM generate_series(1, 40) n;
CREATE TABLE shop.named (a int CONSTRAINT has_a NOT NULL, b int); ALTER TABLE shop.named ADD CONSTRAINT has_b NOT NULL b NOT VALID;
INSERT INTO shop.named VALUES (1, 1);
CREATE TABLE shop.believed (a int PRIMARY KEY, b int REFERENCES shop.believed NOT ENFORCED, CHECK (a > 5) NOT ENFORCED);
INSERT INTO shop.believed VALUES (1, 77);
CREATE TABLE shop.temporal (id int, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
INSERT INTO shop.temporal VALUES (1, '[2020-01-01,2020-02-01)'), (1, '[2020-02-01,2020-03-01)');
CREATE TABLE shop.temporal_child (id int, during daterange,
    FOREIGN KEY (id, PERIOD during) REFERENCES shop.temporal (id, PERIOD during));
INSERT INTO shop.temporal_child VALUES (1, '[2020-01-15,2020-02-15)');
