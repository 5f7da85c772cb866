GRANT MAINTAIN ON shop.people TO every_reader;
CREATE TABLE shop.counted_parts (id bigint GENERATED ALWAYS AS IDENTITY, k int) PARTITION BY LIST (k);
CREATE TABLE shop.counted_parts_1 PARTITION OF shop.counted_parts FOR VALUES IN (1);
INSERT INTO shop.counted_parts (k) SELECT 1 FROM generate_series(1, 12);
