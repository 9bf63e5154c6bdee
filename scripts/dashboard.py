"""Runs the services with faults under load, then draws panels of the dashboard. scripts/dashboard starts it."""

import contextlib
import http.client
import json
import pathlib
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BROKER, API, WORKER, SMTP, PROMETHEUS = 23592, 23640, 23641, 23645, 23650
PANELS = [
    "Orders placed and ended", "Placed to mailed", "Unfinished orders",
    "Mail server: circuit breaker", "Kafka brokers", "Workers and their partitions",
    "Failed attempts", "Failures to reach Kafka", "Slots in use",
    "Age of the oldest unfinished order", "Dead letters",
]
# Seconds after the beginning of the load.
FAULTS = [("mail server down", 40, 90), ("broker killed", 150, 195), ("worker killed", 235, 275), ("backlog", 300, 320), ("no route", 365, 405)]
RATE, BURST, END = 10, 80, 405  # orders a second; seconds
PLACERS = 8


class Mail(socketserver.StreamRequestHandler):
    """A mail server that accepts everything, slowly."""

    def handle(self):
        self.server.connections.append(self.connection)
        self.wfile.write(b"220 mail\r\n")
        for line in self.rfile:
            command = line[:4].upper().strip()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                time.sleep(0.2)
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    connections = []

    def handle_error(self, request, client_address):
        """A connection that stop or a worker has closed ends its thread, and is no error."""

    def stop(self):
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def serve_mail():
    server = Server(("127.0.0.1", SMTP), Mail)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    return server


class System:
    """The processes, by name. Each log is a file in the folder."""

    def __init__(self, folder, prometheus):
        self.folder, self.running = folder, {}
        brokers = f"127.0.0.1:{BROKER},127.0.0.1:{BROKER + 10},127.0.0.1:{BROKER + 20}"
        self.args = {f"broker-{n}": ["scripts/kafka", "--data", folder + "/kafka", "--port", str(BROKER), "--apart", "10", "--broker", str(n), "3"] for n in (1, 2, 3)}
        self.args["api"] = ["bin/order-api", "--brokers", brokers, "--http", f"127.0.0.1:{API}", "--data", folder + "/api"]
        for n in (0, 1):
            self.args[f"worker-{n + 1}"] = ["bin/order-worker", "--brokers", brokers, "--smtp", f"127.0.0.1:{SMTP}", "--concurrency", "4", "--health", f"127.0.0.1:{WORKER + n}"]
        config = {"global": {"scrape_interval": "2s"}, "scrape_configs": [
            {"job_name": "order-api", "static_configs": [{"targets": [f"127.0.0.1:{API}"]}]},
            {"job_name": "order-worker", "static_configs": [{"targets": [f"127.0.0.1:{WORKER}", f"127.0.0.1:{WORKER + 1}"]}]}]}
        pathlib.Path(folder, "prometheus.yaml").write_text(json.dumps(config))  # JSON is YAML
        self.args["prometheus"] = [prometheus, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{PROMETHEUS}"]
        self.topics = ["bin/ordersctl", "topics", "create", "--brokers", brokers]

    def start(self, name, ready=None):
        log = pathlib.Path(self.folder, name + ".log")
        with log.open("ab") as out:
            self.running[name] = subprocess.Popen(self.args[name], stdout=out, stderr=out, start_new_session=True)
        deadline = time.monotonic() + 120
        while ready and ready not in log.read_text(errors="replace"):
            if time.monotonic() > deadline or self.running[name].poll() is not None:
                sys.exit(f"dashboard: {name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def open(self):
        for n in (1, 2, 3):
            self.start(f"broker-{n}")
        for n in (1, 2, 3):
            while "Kafka Server started" not in pathlib.Path(self.folder, f"broker-{n}.log").read_text(errors="replace"):
                time.sleep(0.2)
        subprocess.run(self.topics, check=True, stdout=subprocess.DEVNULL)
        self.start("api", "msg=listening")
        self.start("worker-1", 'msg="partitions owned"')
        self.start("worker-2", 'msg="partitions owned"')
        self.start("prometheus", "ready to receive")

    def close(self):
        for name in list(self.running):
            self.kill(name)


def place(began, first):
    """Places every PLACERS-th order when it is due, until the end."""
    order = json.loads(pathlib.Path("deploy/sample/order.json").read_text())
    due = first / RATE
    while due < END:
        time.sleep(max(0, began + due - time.monotonic()))
        send(order)
        _, start, end = FAULTS[3]
        due += PLACERS / (BURST if start <= due < end else RATE)


def send(order):
    connection = http.client.HTTPConnection("127.0.0.1", API, timeout=10)
    with contextlib.suppress(OSError, http.client.HTTPException):  # while a broker is down
        connection.request("POST", "/v1/orders", json.dumps(order), {"Content-Type": "application/json"})
        connection.getresponse().read()
    connection.close()


def unroutable():
    """Places orders that become dead letters."""
    order = json.loads(pathlib.Path("deploy/sample/order.json").read_text())
    order["ship_to"].update(country="AQ", postal_code="", city="McMurdo")
    for _ in range(12):
        send(order)


def run(system):
    """Injects the faults, and returns when the load began."""
    mail, began, wall = serve_mail(), time.monotonic(), time.time()
    for n in range(PLACERS):
        threading.Thread(target=place, args=(began, n), daemon=True).start()

    def at(second, text):
        time.sleep(max(0, began + second - time.monotonic()))
        print(f"{second:4d} s  {text}", flush=True)

    (_, down, up), (_, lost, found), (_, killed, started), (_, burst, _), (_, dead, end) = FAULTS
    at(down, "mail server down")
    mail.stop()
    at(up, "mail server up")
    mail = serve_mail()
    at(lost, "broker killed")
    system.kill("broker-3")
    at(found, "broker started")
    system.start("broker-3")
    at(killed, "worker killed")
    system.kill("worker-2")
    at(started, "worker started")
    system.start("worker-2")
    at(burst, f"{BURST} orders a second")
    at(dead, "orders without a route")
    unroutable()
    at(end, "end")
    return wall


def ask(expr, begin, end):
    parameters = {"query": expr.replace("$__rate_interval", "12s"), "start": begin, "end": end, "step": 2}
    with urllib.request.urlopen(f"http://127.0.0.1:{PROMETHEUS}/api/v1/query_range?" + urllib.parse.urlencode(parameters)) as answer:
        return json.load(answer)["data"]["result"]


def label(target, metric):
    text = target["legendFormat"]
    for name, value in metric.items():
        text = text.replace("{{%s}}" % name, value)
    return text.replace("127.0.0.1:", "worker ")


def draw(path, began):
    panels = {p["title"]: p for p in json.loads(pathlib.Path("deploy/grafana/dashboards/orders.json").read_text())["panels"]}
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(4, 3, figsize=(16, 14), sharex=True)
    for title, plot in zip(PANELS, axes.flat):
        panel = panels[title]
        for target in panel["targets"]:
            for series in ask(target["expr"], began, began + END):
                values = [(float(t) - began, float(v)) for t, v in series["values"] if v != "NaN"]
                if any(v for _, v in values):
                    plot.plot(*zip(*values), linewidth=1.4, label=label(target, series["metric"]))
        unit = panel["fieldConfig"]["defaults"]["unit"]
        plot.set_title(title + {"s": ", seconds", "ops": ", per second", "percentunit": ", share"}.get(unit, ""), loc="left", fontweight="bold", pad=16)
        plot.set_ylim(bottom=0, top=1.05 if unit == "percentunit" else max(1.2, plot.get_ylim()[1] * 1.05))
        plot.set_xlim(0, END)
        for name, start, end in FAULTS:
            plot.axvspan(start, end, color="#c0392b", alpha=0.12, linewidth=0)
            plot.text((start + end) / 2, 1.01, name, transform=plot.get_xaxis_transform(), ha="center", fontsize=6.5, color="#922b21")
        plot.grid(alpha=0.25)
        if plot.lines:
            plot.legend(fontsize=7.5, loc="best", framealpha=0.7)
    axes[-1][-1].set_visible(False)
    for plot in axes[-1]:
        plot.set_xlabel("seconds since the beginning of the load")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main():
    with tempfile.TemporaryDirectory(prefix="dashboard-") as folder:
        system = System(folder, sys.argv[1])
        try:
            system.open()
            began = run(system)
            draw("docs/pictures/dashboard.png", began)
        finally:
            system.close()


main()
