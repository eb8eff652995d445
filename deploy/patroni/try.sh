#!/usr/bin/env bash
# Three PostgreSQL nodes under Patroni on this machine alone, with the patroni.yml and haproxy.cfg that stand beside
# this script: each node has a loopback address of its own, and the ports of production.
#
#   try.sh                 the whole trial in a fresh folder: rows are written, the leader is killed with -9, a new one
#                          takes over, no acknowledged row may be missing, the old one comes back as a standby
#   try.sh up DIR          a cluster in DIR (made where missing), with HAProxy in front
#   try.sh url DIR         the address of the database, for a hub, by HAProxy: its leader, whichever that is
#   try.sh leader DIR      which node leads: node1, node2 or node3; fails where none does
#   try.sh sync DIR        which node confirms commits
#   try.sh kill DIR NODE   ends everything of a node with -9, as if its machine had died
#   try.sh start DIR NODE  starts a node again, on the data that it has
#   try.sh sql DIR NODE    runs statements from standard input as superuser on a node, and prints rows
#   try.sh down DIR        ends everything and removes DIR
#
# Needs Debian's patroni, etcd-server, etcd-client, haproxy, postgresql and openssl; as root it installs those that are missing.
# TRY_WRITERS and TRY_SECONDS set how many write, and for how long before the kill.
set -euo pipefail
PATH=$PATH:/usr/sbin
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
nodes=(node1 node2 node3)

fail() {
    echo "try.sh: $*" >&2
    exit 1
}

# Server programs run as an account of their own where we are root: PostgreSQL refuses root.
if [ "$(id -u)" = 0 ]; then
    account=postgres
    as_account() { setpriv --reuid="$account" --regid="$account" --init-groups -- "$@"; }
else
    account=$(id -un)
    as_account() { "$@"; }
fi

need_packages() {
    local missing=()
    command -v patroni >/dev/null || missing+=(patroni)
    command -v etcd >/dev/null || missing+=(etcd-server)
    command -v etcdctl >/dev/null || missing+=(etcd-client)
    command -v haproxy >/dev/null || missing+=(haproxy)
    command -v openssl >/dev/null || missing+=(openssl)
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
    [ ${#missing[@]} = 0 ] && return 0
    [ "$(id -u)" = 0 ] || fail "missing: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# launch NAME COMMAND…: in the background, out of our process group, its id in run/NAME.pid, its words in log/NAME.
launch() {
    local name=$1
    shift
    # shellcheck disable=SC2016 # expanded by the inner shell
    (as_account setsid env HOME="$dir" sh -c 'echo $$ >"$1"; log=$2; shift 2; exec "$@" >>"$log" 2>&1 </dev/null' \
        launch "$dir/run/$name.pid" "$dir/log/$name" "$@" >/dev/null 2>&1 &)
}

# The ids of a program that we launched and of the PostgreSQL under it, and nothing else's.
processes_of() {
    local pid=$dir/run/$1.pid postmaster=$dir/$1/data/postmaster.pid own
    [ -f "$pid" ] && cat "$pid"
    if [ -f "$postmaster" ]; then
        own=$(head -n 1 "$postmaster")
        # A file left by a crash may name a process that is someone else's by now.
        if [ -d "/proc/$own" ] && [ "$(readlink "/proc/$own/cwd")" = "$dir/$1/data" ]; then
            echo "$own"
            ps -o pid= --ppid "$own" || true
        fi
    fi
}

end() { # end SIGNAL NAME
    local ids
    mapfile -t ids < <(processes_of "$2")
    rm -f "$dir/run/$2.pid"
    [ ${#ids[@]} = 0 ] && return 0
    # shellcheck disable=SC2068 # ps pads ids with spaces
    kill "-$1" ${ids[@]} 2>/dev/null || true
}

# until_true SECONDS COMMAND…
until_true() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $limit ] || return 1
        sleep 0.2
    done
}

make_certificates() {
    local tls=$dir/tls
    mkdir -p "$tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=trial authority" \
        -keyout "$tls/ca.key" -out "$tls/ca.pem" 2>/dev/null
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=database" \
        -keyout "$tls/server.key" -out "$tls/server.csr" 2>/dev/null
    openssl x509 -req -days 2 -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:$net.10") -out "$tls/server.pem" 2>/dev/null
    chmod 600 "$tls"/*.key
}

start_node() {
    local node=$1 address
    address=$net.1${node#node}
    launch "$node" env \
        PATRONI_NAME="$node" PATRONI_ETCD3_HOSTS="$net.10:2379" \
        PATRONI_RESTAPI_LISTEN="$address:8008" PATRONI_RESTAPI_CONNECT_ADDRESS="$address:8008" \
        PATRONI_RESTAPI_USERNAME=patroni PATRONI_RESTAPI_PASSWORD="$password" \
        PATRONI_POSTGRESQL_LISTEN="$address:5432" PATRONI_POSTGRESQL_CONNECT_ADDRESS="$address:5432" \
        PATRONI_POSTGRESQL_DATA_DIR="$dir/$node/data" PATRONI_POSTGRESQL_BIN_DIR="$bin" \
        PATRONI_POSTGRESQL_PGPASS="$dir/$node/pgpass" \
        PATRONI_REPLICATION_PASSWORD="$password" PATRONI_REWIND_PASSWORD="$password" \
        patroni "$dir/$node/patroni.yml"
}

up() {
    need_packages
    bin=$(dirname "$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)")
    mkdir -p "$dir"/{run,log,etcd} && chmod 755 "$dir"
    # An address for each, as machines have: 127.x.y.10 for what is in front, .11 to .13 for the nodes.
    net=127.$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2))
    password=$(openssl rand -hex 16)
    printf 'net=%s\npassword=%s\nbin=%s\n' "$net" "$password" "$bin" >"$dir/run/settings"
    make_certificates
    local node
    for node in "${nodes[@]}"; do
        mkdir -p "$dir/$node/socket"
        # The shipped file, with the paths of this folder, and a buffer that fits a trial.
        sed -e "s#/etc/takmil-postgres#$dir/tls#; s#/var/run/postgresql#$dir/$node/socket#" \
            -e "s#operators postgres postgres#operators $account postgres#; s#shared_buffers: 1GB#shared_buffers: 64MB#" \
            "$here/patroni.yml" >"$dir/$node/patroni.yml"
    done
    [ "$(id -u)" != 0 ] || chown -R "$account" "$dir"
    launch etcd etcd --name trial --data-dir "$dir/etcd" --log-level warn --heartbeat-interval 200 --election-timeout 2000 \
        --listen-client-urls "http://$net.10:2379" --advertise-client-urls "http://$net.10:2379" \
        --listen-peer-urls "http://$net.10:2380" --initial-advertise-peer-urls "http://$net.10:2380" \
        --initial-cluster "trial=http://$net.10:2380"
    until_true 30 etcd_answers || fail "etcd does not start: $dir/log/etcd"
    for node in "${nodes[@]}"; do start_node "$node"; done
    until_true 120 leader || fail "no node leads: $dir/log"
    until_true 120 sync_node || fail "no node confirms commits: $dir/log"
    TAKMIL_PG_BIND=$net.10:5432 TAKMIL_PG1=$net.11 TAKMIL_PG2=$net.12 TAKMIL_PG3=$net.13 \
        launch haproxy haproxy -db -f "$here/haproxy.cfg"
    {
        echo "\\set password '$password'"
        cat "$here/../postgres/roles.sql"
    } | sql "$(leader)" >/dev/null
    # HAProxy takes every node for the leader until two checks of it have failed.
    sleep 3
    until_true 30 writable || fail "the database takes no writes by HAProxy: $dir/log"
}

etcd_answers() { ETCDCTL_API=3 etcdctl --endpoints="$net.10:2379" endpoint health; }

# state PATH: the node that answers 200 to it.
state() {
    local node
    for node in "${nodes[@]}"; do
        if [ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' "http://$net.1${node#node}:8008/$1")" = 200 ]; then
            echo "$node"
            return 0
        fi
    done
    return 1
}
leader() { state primary; }
sync_node() { state synchronous; }
standby_streams() { # standby_streams NODE
    curl -s -m 2 "http://$net.1${1#node}:8008/replica" | grep -q '"replication_state": "streaming"\|"role": "replica"' &&
        [ "$(sql "$(leader)" <<<"select count(*) from pg_stat_replication where application_name = '$1' and state = 'streaming'")" = 1 ]
}

url() { echo "postgres://takmil:$password@$net.10:5432/takmil?sslmode=verify-ca&sslrootcert=$dir/tls/ca.pem"; }

sql() { # sql NODE <statements
    as_account "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$dir/$1/socket" -U postgres -d "${database:-postgres}"
}

ask() { PGCONNECT_TIMEOUT=3 "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$(url)" -c "$1"; }
writable() { ask 'create table if not exists trial (id text primary key); drop table trial'; }

kill_node() {
    end KILL "$1"
    # Those that were born meanwhile.
    end KILL "$1"
}

down() {
    local name
    for name in "${nodes[@]}"; do
        # Patroni first, or it would start PostgreSQL again; PostgreSQL by QUIT, which lets go of shared memory.
        [ ! -f "$dir/run/$name.pid" ] || kill -KILL "$(cat "$dir/run/$name.pid")" 2>/dev/null || true
        rm -f "$dir/run/$name.pid"
        end QUIT "$name"
    done
    for name in haproxy etcd; do end TERM "$name"; done
    for name in "${nodes[@]}"; do
        until_true 20 no_process "$name" || end KILL "$name"
    done
    rm -rf "$dir"
}
no_process() { [ -z "$(processes_of "$1")" ]; }

# One writer: a row a transaction, a connection each, and a note of those that were acknowledged.
write_rows() {
    local number=0
    while [ ! -e "$dir/run/stop" ]; do
        number=$((number + 1))
        if ask "insert into trial values ('$1-$number')" 2>/dev/null; then
            echo "$1-$number" >>"$dir/acked/$1"
        else
            echo "$1-$number" >>"$dir/unsure/$1"
            sleep 0.1
        fi
    done
}

# milliseconds since the start of the machine: no step of the clock moves it
now_ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }

trial() {
    dir=$(mktemp -d /tmp/takmil-patroni-XXXXXX)
    local writers=()
    trap 'touch "$dir/run/stop" 2>/dev/null; wait; down' EXIT
    trap 'exit 130' INT TERM
    echo "starting three nodes"
    up
    local old
    old=$(leader)
    echo "leader: $old; commits are confirmed by: $(sync_node)"
    ask 'create table trial (id text primary key)'
    mkdir -p "$dir"/{acked,unsure}
    local writer
    for ((writer = 1; writer <= ${TRY_WRITERS:-3}; writer++)); do
        write_rows "$writer" &
        writers+=($!)
    done
    sleep "${TRY_SECONDS:-5}"
    local before killed back
    before=$(cat "$dir"/acked/* | wc -l)
    killed=$(now_ms)
    kill_node "$old"
    echo "killed $old with -9 after $before acknowledged rows"
    until_true 120 writable_row || fail "nothing takes writes after 120 s: $dir/log"
    back=$(now_ms)
    echo probe >"$dir/acked/probe"
    local now
    now=$(leader)
    echo "leader: $now; writable after $(((back - killed) / 1000)).$(((back - killed) % 1000 / 100)) s"
    sleep 3
    touch "$dir/run/stop"
    wait "${writers[@]}" || true
    start_node "$old"
    local since=$SECONDS
    until_true 120 standby_streams "$old" || fail "$old does not come back: $dir/log/$old"
    echo "$old is back as a standby after $((SECONDS - since)) s"
    local acknowledged lost found
    cat "$dir"/acked/* | sort >"$dir/acknowledged"
    ask 'select id from trial' | sort >"$dir/found"
    acknowledged=$(wc -l <"$dir/acknowledged")
    found=$(wc -l <"$dir/found")
    lost=$(comm -23 "$dir/acknowledged" "$dir/found" | wc -l)
    echo "rows: $acknowledged acknowledged ($((acknowledged - before)) of them after the kill), $lost lost," \
        "$((found - acknowledged + lost)) found that nobody was told of"
    [ "$now" != "$old" ] || fail "the killed node leads"
    [ "$acknowledged" -gt "$before" ] || fail "nothing was written after the kill"
    [ "$lost" = 0 ] || fail "acknowledged rows were lost"
}
writable_row() { ask "insert into trial values ('probe') on conflict do nothing"; }

use() {
    dir=$(realpath -m "$1")
    [ -f "$dir/run/settings" ] || fail "there is no cluster in $dir"
    # shellcheck source=/dev/null
    . "$dir/run/settings"
}

case ${1:-trial} in
    trial) trial ;;
    up)
        dir=$(realpath -m "${2:?DIR}")
        [ ! -e "$dir/run/settings" ] || fail "there is a cluster in $dir already"
        up
        ;;
    url | leader | down) use "${2:?DIR}" && "$1" ;;
    sync) use "${2:?DIR}" && sync_node ;;
    kill) use "${2:?DIR}" && kill_node "${3:?NODE}" ;;
    start) use "${2:?DIR}" && start_node "${3:?NODE}" ;;
    sql) use "${2:?DIR}" && sql "${3:?NODE}" ;;
    *) fail "see the head of this file for what to say" ;;
esac
