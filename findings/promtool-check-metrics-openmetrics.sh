#!/bin/bash
# promtool 2.42.0 finds fault with counters in OpenMetrics that Prometheus of the same version reads without one.
#
# Belief:    `promtool check metrics` judges what a Prometheus of its version scrapes, of which OpenMetrics is the format
#            that it asks for first.
# Behaviour: it reads the older text format, in which a family is called as its samples are. In OpenMetrics a counter's
#            samples end with `_total` and the family, with its HELP and TYPE, does not; so each counter "has no help
#            text", its type is unknown, and the exit code is 3. Gauges pass, and `# UNIT` and `# EOF` are comments.
# Seen:      the complaint for the counter alone, code 3; the same text is scraped by `prometheus`, as a counter with its
#            help and its unit (Debian's prometheus 2.42.0+ds-5+deb12u1).
# Here:      `cargo xtask prometheus` has a Prometheus read the metrics instead, and asks it for what it has read.
#
# Needs Debian 12's lists of packages (apt-get update), and python3; installs nothing, and starts no service. Serves and
# scrapes on the loopback interface for some seconds. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download prometheus=2.42.0+ds-5+deb12u1
dpkg -x prometheus_*.deb root
bin=$folder/root/usr/bin

cat > metrics <<'TEXT'
# HELP work_seconds Time that work took.
# TYPE work_seconds counter
# UNIT work_seconds seconds
work_seconds_total 1.5
# HELP ports Ports by state.
# TYPE ports gauge
ports{state="open"} 2
# EOF
TEXT

cat > serve.py <<'PYTHON'
import http.server

class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = open("metrics", "rb").read()
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
open("port", "w").write(str(server.server_port))
server.serve_forever()
PYTHON

code=0
said=$("$bin/promtool" check metrics < metrics 2>&1) || code=$?

python3 serve.py &
until [ -s port ]; do sleep 0.1; done
free=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'global: {scrape_interval: 1s}\nscrape_configs: [{job_name: a, static_configs: [{targets: ["127.0.0.1:%s"]}]}]\n' \
    "$(cat port)" > config.yml
"$bin/prometheus" --config.file=config.yml --storage.tsdb.path=data --web.listen-address="127.0.0.1:$free" \
    --log.level=error &
ask() { # path
    python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$free' + '$1').read().decode())" 2>/dev/null || true
}
read_=
for _ in $(seq 60); do
    read_=$(ask /api/v1/metadata?metric=work_seconds)
    case $read_ in *counter*) break ;; esac
    sleep 0.5
done

{
    echo "promtool: $said, code $code"
    echo "prometheus: $(python3 -c 'import json, sys; one = json.loads(sys.argv[1])["data"]["work_seconds"][0]; print(one["type"], one["unit"], one["help"])' "$read_")"
} | tee seen
diff - seen <<'SEEN'
promtool: work_seconds_total no help text, code 3
prometheus: counter seconds Time that work took.
SEEN
echo "as described"
