#!/usr/bin/env bash
# Two hubs on one PostgreSQL behind HAProxy, on this machine alone, with the haproxy.cfg and roles.sql that are shipped:
# TLS is passed through, providers show client certificates, and both hubs are replaced one after the other under load,
# as in a rolling upgrade. A request that fails fails the trial; so does a message that was not kept exactly once.
#
#   try-haproxy.sh              each hub is drained at HAProxy, then told to stop
#   try-haproxy.sh --unnoticed  each hub is told to stop while HAProxy still sends it everything
#
# Needs Debian's haproxy, postgresql and python3; as root it installs those that are missing. The hub is $TAKMIL, or the
# one that `cargo build` made. TRY_CLIENTS sets how many ask at once.
# shellcheck disable=SC2317 # functions that `until_true` and traps call
set -euo pipefail
PATH=$PATH:/usr/sbin
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
takmil=${TAKMIL:-$here/../target/debug/takmil}
pack=$here/../mappings/packs/ir

fail() {
    echo "try-haproxy.sh: $*" >&2
    exit 1
}

need_packages() {
    local missing=()
    command -v haproxy >/dev/null || missing+=(haproxy)
    command -v python3 >/dev/null || missing+=(python3)
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
    [ ${#missing[@]} = 0 ] && return 0
    [ "$(id -u)" = 0 ] || fail "missing: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# until_true SECONDS COMMAND…
until_true() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $limit ] || return 1
        sleep 0.1
    done
}

# PostgreSQL refuses root: its programs run as an account of their own then.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; else "$@"; fi
}

start_database() {
    bin=$(dirname "$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)")
    mkdir "$dir/database"
    [ "$(id -u)" != 0 ] || chown postgres "$dir/database"
    as_postgres "$bin/initdb" -D "$dir/database" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$dir/initdb.log"
    as_postgres "$bin/postgres" -D "$dir/database" -k "$dir/database" -c listen_addresses="$net.20" \
        >"$dir/database.log" 2>&1 &
    database=$!
    until_true 30 "$bin/pg_isready" -h "$dir/database" || fail "PostgreSQL does not start: $(tail -n 3 "$dir/database.log")"
    sql() { "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$dir/database" -U postgres "$@"; }
    sql -v password=trial -f "$here/postgres/roles.sql"
    (umask 077 && echo "postgres://takmil:trial@$net.20:5432/takmil" >"$dir/database.url")
}

configure_hub() { # configure_hub NUMBER
    cat >"$dir/hub$1.toml" <<TOML
[listen]
address = "$net.1$1:8443"
public_url = "https://localhost:8443"
api_keys = "never"
drain_ms = 10000
[tls]
certificate_file = "$dir/pki/hub.pem"
key_file = "$dir/pki/hub.key"
[partners]
address = "$net.1$1:8444"
client_authority_files = ["$dir/pki/ca.pem"]
[store]
url_file = "$dir/database.url"
writers = 6
[engine]
lanes = 4
[limits]
requests_per_second = 100000
burst = 100000
TOML
}

start_hub() { # start_hub NUMBER
    "$takmil" serve --config "$dir/hub$1.toml" >>"$dir/hub$1.log" 2>&1 &
    hubs[$1]=$!
}

lb() { # lb COMMAND: asks HAProxy, as an operator would with socat
    python3 -c 'import socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect(sys.argv[1])
asked.sendall(sys.argv[2].encode() + b"\n")
while words := asked.recv(65536): sys.stdout.write(words.decode())' "$dir/lb.sock" "$1"
}

# status NUMBER: what HAProxy thinks of a hub on the partner port.
status() { lb 'show stat' | awk -F, -v hub="hub$1" '$1 == "partners" && $2 == hub { print $18 }'; }
is() { [[ $(status "$1") == "$2"* ]]; }
sessions() { lb 'show stat' | awk -F, '$1 == "partners" && $2 ~ /^hub/ { printf "%s%s: %s", sep, $2, $8; sep = ", " }'; }

set_state() { # set_state NUMBER STATE
    local port
    for port in everybody partners; do lb "set server $port/hub$1 state $2" >/dev/null; done
}

# replace NUMBER: one hub is stopped and started again, with or without HAProxy being told before.
replace() {
    local began=$SECONDS
    if [ "$notice" = yes ]; then
        set_state "$1" drain
        sleep 1
    fi
    kill -TERM "${hubs[$1]}"
    wait "${hubs[$1]}" || fail "hub $1 ended badly: $(tail -n 3 "$dir/hub$1.log")"
    echo "hub $1 has stopped"
    [ "$notice" = yes ] || until_true 20 is "$1" DOWN || fail "HAProxy takes hub $1 for alive"
    start_hub "$1"
    [ "$notice" = no ] || set_state "$1" ready
    until_true 60 is "$1" UP || fail "hub $1 does not come back: $(tail -n 3 "$dir/hub$1.log")"
    echo "hub $1 is back after $((SECONDS - began)) s"
}

tidy() {
    local pid
    for pid in $load "${hubs[@]}" $balancer; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in $load "${hubs[@]}" $balancer; do wait "$pid" || true; done
    if [ -n "$database" ]; then
        kill -INT "$(head -n 1 "$dir/database/postmaster.pid")" 2>/dev/null || true
        wait "$database" || true
    fi
    rm -rf "$dir"
}

case ${1:-} in
    '') notice=yes ;;
    --unnoticed) notice=no ;;
    *) fail "see the head of this file for what to say" ;;
esac
need_packages
[ -x "$takmil" ] || fail "there is no hub at $takmil: cargo build, or set TAKMIL"
hubs=()
database='' balancer='' load=''
# Addresses of its own, as machines have, with the ports of production.
net=127.$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2))
dir=$(mktemp -d /tmp/takmil-haproxy-XXXXXX)
chmod 755 "$dir"
trap tidy EXIT
trap 'exit 130' INT TERM

"$takmil" sandbox "$dir/pki" ir-hafez >/dev/null
start_database
for number in 1 2; do configure_hub $number; done
"$takmil" import folder "$pack" --config "$dir/hub1.toml" >/dev/null
"$takmil" participant certificate ir-hafez --file "$dir/pki/ir-hafez.pem" --config "$dir/hub1.toml" >/dev/null
for number in 1 2; do start_hub $number; done
TAKMIL_BIND=$net.10 TAKMIL_HUB1=$net.11 TAKMIL_HUB2=$net.12 TAKMIL_NAME=localhost TAKMIL_CA_FILE=$dir/pki/ca.pem \
    TAKMIL_LB_SOCKET=$dir/lb.sock haproxy -db -f "$here/haproxy/haproxy.cfg" >"$dir/balancer.log" 2>&1 &
balancer=$!
for number in 1 2; do
    until_true 60 is $number UP || fail "hub $number does not start: $(tail -n 3 "$dir/hub$number.log" "$dir/balancer.log")"
done

python3 "$here/haproxy/load.py" "$net.10" --ca "$dir/pki/ca.pem" --cert "$dir/pki/ir-hafez.pem" --key "$dir/pki/ir-hafez.key" \
    --member 'urn:ir:national-id|9990001014' --clients "${TRY_CLIENTS:-16}" >"$dir/figures" &
load=$!
sleep 5
for number in 1 2; do
    replace $number
    sleep 3
done
echo "connections on the partner port: $(sessions)"
kill -TERM $load
result=0
wait $load || result=$?
load=
cat "$dir/figures"
kept=$(sql -d takmil -c 'select count(*) from message')
echo "messages kept: $kept"
[ "$kept" = "$(sed 's/.*"requests": \([0-9]*\).*/\1/' "$dir/figures")" ] || fail "not every request was kept exactly once"
exit $result
