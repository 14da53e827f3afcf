#!/usr/bin/env bash
# Sets the scene of docs/story.md on this machine: Kvasir, its agent, the demo's services, Prometheus and Alertmanager, from the files
# under deploy/ with their host names exchanged for 127.0.0.1.
#   deploy/demo/scene.sh FOLDER     afterwards: kill $(cat FOLDER/pids)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$(realpath -m "${1:?name a folder}")
bin=${KVASIR_BIN:-$PWD/build/release/bin}
tools=${KVASIR_TOOLS:-$PWD/build/tools/usr/bin}   # ./dev test unpacks Debian's prometheus and prometheus-alertmanager there
mkdir -p "$folder/logs" "$folder/rules/fake"

here() {
  sed "s#kvasir:3100#127.0.0.1:13100#; s#agent:9080#127.0.0.1:19080#; s#alertmanager:9093#127.0.0.1:19093#; s#prometheus:9090#127.0.0.1:19090#
    s#0\.0\.0\.0#127.0.0.1#; s#_port: 3100#_port: 13100#; s#_port: 9080#_port: 19080#; s#15s#5s#g
    s#/var/lib/kvasir#$folder#; s#/var/log/services#$folder/logs#" "$1"
}
here deploy/kvasir/kvasir.yaml >"$folder/kvasir.yaml"
here deploy/kvasir/agent.yaml >"$folder/agent.yaml"
here deploy/prometheus/prometheus.yaml >"$folder/prometheus.yaml"
cp deploy/prometheus/*alerts.yaml deploy/alertmanager/alertmanager.yaml "$folder"
cp deploy/demo/rules.yaml "$folder/rules/fake/demo.yaml"

: >"$folder/pids"
run() {  # name, command
  local name=$1
  shift
  "$@" >"$folder/$name.log" 2>&1 </dev/null &
  echo $! >>"$folder/pids"
}
run alertmanager "$tools/prometheus-alertmanager" --config.file="$folder/alertmanager.yaml" --storage.path="$folder/alertmanager" \
  --web.listen-address=127.0.0.1:19093 --cluster.listen-address=
run prometheus "$tools/prometheus" --config.file="$folder/prometheus.yaml" --storage.tsdb.path="$folder/prometheus" \
  --web.listen-address=127.0.0.1:19090 --web.enable-remote-write-receiver
run kvasir "$bin/kvasir" -config.file="$folder/kvasir.yaml"
run agent "$bin/kvasir-agent" -config.file="$folder/agent.yaml"
run demo python3 deploy/demo/demo.py --dir "$folder/logs" --rate 40
