-- +goose Up
CREATE TABLE positions (
    name TEXT PRIMARY KEY,
    pos  BIGINT NOT NULL
);

-- One row a device: what the source health page shows.
CREATE TABLE devices (
    source       TEXT NOT NULL,
    device       TEXT NOT NULL,
    premises     TEXT NOT NULL,
    name         TEXT NOT NULL,
    state        TEXT NOT NULL, -- heard, silent, unknown
    class        TEXT NOT NULL,
    first_heard  BIGINT NOT NULL,
    last_heard   BIGINT NOT NULL,
    last_kind    TEXT NOT NULL,
    observations BIGINT NOT NULL,
    PRIMARY KEY (source, device)
);

CREATE TABLE quarantine (
    id       TEXT PRIMARY KEY,
    seq      BIGINT NOT NULL, -- log position: the bytes are read from there
    source   TEXT NOT NULL,
    origin   TEXT NOT NULL,
    received BIGINT NOT NULL,
    reason   TEXT NOT NULL,
    detail   TEXT NOT NULL,
    size     BIGINT NOT NULL
);
CREATE INDEX quarantine_reason ON quarantine (reason, seq);

CREATE TABLE alerts (
    id       TEXT PRIMARY KEY,
    seq      BIGINT NOT NULL,
    rule     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    cause    TEXT NOT NULL,
    premises TEXT NOT NULL,
    raised   BIGINT NOT NULL,
    body     TEXT NOT NULL -- event.Alert
);
CREATE INDEX alerts_seq ON alerts (seq);

CREATE TABLE incidents (
    id       TEXT PRIMARY KEY,
    number   BIGINT NOT NULL,
    state    TEXT NOT NULL,
    grade    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    priority BIGINT NOT NULL,
    opened   BIGINT NOT NULL,
    updated  BIGINT NOT NULL,
    premises TEXT NOT NULL,
    version  BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    body     TEXT NOT NULL -- incident.Incident
);
CREATE INDEX incidents_queue ON incidents (state, priority, opened);
CREATE INDEX incidents_number ON incidents (number);
CREATE INDEX incidents_seq ON incidents (seq);

CREATE TABLE incident_changes (
    incident TEXT NOT NULL,
    version  BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    time     BIGINT NOT NULL,
    body     TEXT NOT NULL, -- event.IncidentChange
    PRIMARY KEY (incident, version)
);

-- +goose Down
DROP TABLE incident_changes;
DROP TABLE incidents;
DROP TABLE alerts;
DROP TABLE quarantine;
DROP TABLE devices;
DROP TABLE positions;
