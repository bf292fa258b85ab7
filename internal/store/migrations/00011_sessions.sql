-- +goose Up
CREATE TABLE sessions (
    token  TEXT PRIMARY KEY, -- hash of what the browser holds
    data   TEXT NOT NULL,    -- base64; empty: signed out, and not to be revived
    expiry BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expiry);

-- +goose Down
DROP TABLE sessions;
