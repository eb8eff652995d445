#!/bin/sh
# Keeps a file of PostgreSQL's log in a folder: archive_command = '/usr/local/lib/takmil/archive.sh %p %f FOLDER'.
#
# It succeeds only when the file is on the disk under its name, and never replaces one with other contents: so two servers
# that archive to one folder by mistake are found at once, and not at the restore.
set -eu
from=$1 name=$2 folder=$3

if [ -e "$folder/$name" ]; then
    # The server asks again for what it does not know to be kept.
    cmp -s "$from" "$folder/$name" && exit 0
    echo "archive.sh: $folder/$name is there already, with other contents" >&2
    exit 1
fi
cp "$from" "$folder/.$name.part"
sync "$folder/.$name.part"
mv "$folder/.$name.part" "$folder/$name"
sync "$folder"
