-- Roles of the database for deploy/compose.yaml, made when its volume is empty: the control plane owns the schema, a data node reads, and what
-- drains its spool writes audit records alone. `sekisho db grants` prints what the latter two are granted, once there is a schema.
CREATE ROLE sekisho LOGIN PASSWORD 'change-me-control';
CREATE ROLE sekisho_reader LOGIN PASSWORD 'change-me-reader';
CREATE ROLE sekisho_drain LOGIN PASSWORD 'change-me-drain';
CREATE DATABASE sekisho OWNER sekisho;
