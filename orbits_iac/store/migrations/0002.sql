-- From version 1 to 2: waits for events, long results in a column of their own, events that are found by their root
-- alone, and the data key, which was the secret key itself.

CREATE TABLE wait (
    event TEXT NOT NULL, execution TEXT NOT NULL, "key" TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (event, execution, "key")
) WITHOUT ROWID;
CREATE INDEX wait_execution ON wait (execution);

ALTER TABLE execution ADD COLUMN apart TEXT;
ALTER TABLE entry ADD COLUMN apart TEXT;
ALTER TABLE task ADD COLUMN own_build INTEGER NOT NULL DEFAULT 0;

CREATE TABLE data_key (
    name TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE event_2 (
    seq INTEGER PRIMARY KEY, root TEXT NOT NULL, body BLOB NOT NULL
);
INSERT INTO event_2 (seq, root, body) SELECT seq, root, body FROM event ORDER BY seq;
DROP TABLE event;
ALTER TABLE event_2 RENAME TO event;
CREATE INDEX event_root ON event (root);

-- A process of version 1 that has the file open would go on writing, and would drop the fields that it does not know. It
-- does not look at the version again; so what it needs of a record or a task asks for a function that only later
-- versions have, under a name that says so. It is looked for, and never called.
CREATE TRIGGER record_of_version_1 BEFORE INSERT ON record BEGIN
    SELECT CASE WHEN 0 THEN "this store was upgraded, start this process again with the later version of Orbits IaC"() END;
END;
CREATE TRIGGER task_of_version_1 BEFORE INSERT ON task BEGIN
    SELECT CASE WHEN 0 THEN "this store was upgraded, start this process again with the later version of Orbits IaC"() END;
END;
