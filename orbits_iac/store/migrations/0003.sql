-- From version 2 to 3: the mark of an import that has not finished.

CREATE TABLE importing (
    name TEXT PRIMARY KEY, body BLOB NOT NULL
) WITHOUT ROWID;
