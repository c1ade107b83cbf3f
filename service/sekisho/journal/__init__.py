"""What commits no row of its own and must not be lost: the spool on the local disk, and what it carries of last uses and accesses."""
