-- From version 3 to 4: who reads a record's outputs has a row of its own. Who did so before stands among the record's users,
-- with those who do it: it is taken out of there if it is known to read, and is no parent of it.

CREATE TABLE reader (
    kind TEXT NOT NULL, identity TEXT NOT NULL, reader TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, identity, reader)
) WITHOUT ROWID;

INSERT INTO reader (kind, identity, reader, body)
SELECT read.kind, read.identity, user.value, json_object('kind', read.kind, 'identity', read.identity, 'reader', user.value)
FROM record AS read
JOIN json_each(CAST(read.body AS TEXT), '$.users') AS user
JOIN record AS own ON own.kind = substr(user.value, 1, instr(user.value, ' ') - 1)
    AND own.identity = substr(user.value, instr(user.value, ' ') + 1)
WHERE EXISTS (
    SELECT 1 FROM json_each(CAST(own.body AS TEXT), '$.uses') AS used WHERE used.value = read.kind || ' ' || read.identity
) AND NOT EXISTS (
    SELECT 1 FROM json_each(CAST(own.body AS TEXT), '$.children') AS child
    WHERE json_extract(child.value, '$.kind') = read.kind AND json_extract(child.value, '$.identity') = read.identity
);

UPDATE record SET version = version + 1, body = CAST(json_set(
    CAST(body AS TEXT), '$.version', version + 1, '$.has_readers', json('true'), '$.users', (
        SELECT json_group_array(value) FROM (
            SELECT user.value FROM json_each(CAST(record.body AS TEXT), '$.users') AS user
            WHERE NOT EXISTS (
                SELECT 1 FROM reader
                WHERE reader.kind = record.kind AND reader.identity = record.identity AND reader.reader = user.value
            )
            ORDER BY user.key
        )
    )
) AS BLOB)
WHERE EXISTS (SELECT 1 FROM reader WHERE reader.kind = record.kind AND reader.identity = record.identity);
