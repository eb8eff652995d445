#!/bin/sh
# Run once by the database's image, when it makes the database.
set -eu
psql -X -v ON_ERROR_STOP=1 -U postgres -v password="$(cat /run/secrets/takmil-password)" -f /etc/takmil/roles.sql
