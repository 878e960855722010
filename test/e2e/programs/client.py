# Runs in a host: python3 client.py POD MARK
# Uses Python's client of Kubernetes, by the kubeconfig in KUBECONFIG, and prints what came of it, as all such programs.
import json
import sys

from kubernetes import client, config, watch
from kubernetes.stream import portforward, stream

namespace, pod, mark = "default", sys.argv[1], sys.argv[2]
config.load_kube_config()
api = client.CoreV1Api()


def watched():
    """What a watch tells of a ConfigMap that is made and removed meanwhile."""
    version = api.list_namespaced_config_map(namespace).metadata.resource_version
    api.create_namespaced_config_map(namespace, {"metadata": {"name": mark}})
    events = watch.Watch().stream(
        api.list_namespaced_config_map,
        namespace,
        field_selector=f"metadata.name={mark}",
        resource_version=version,
    )
    seen = []
    for event in events:
        seen.append(f"{event['type'].lower()} {event['object'].metadata.name}")
        if event["type"] == "DELETED":
            return seen
        api.delete_namespaced_config_map(mark, namespace)


def session(command, stdin):
    return stream(
        api.connect_get_namespaced_pod_exec,
        pod,
        namespace,
        command=command,
        stdin=stdin,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )


def echoed():
    one = session(["cat"], True)
    one.write_stdin("typed")
    one.close_channel(0)
    one.run_forever(timeout=60)
    return one.read_stdout()


def code():
    one = session(["sh", "-c", "exit 3"], False)
    one.run_forever(timeout=60)
    return one.returncode


def forwarded():
    socket = portforward(api.connect_get_namespaced_pod_portforward, pod, namespace, ports="7000").socket(7000)
    socket.settimeout(60)
    socket.sendall(b"hello\n")
    with socket.makefile() as answers:
        return json.loads(answers.readline())["host"]


print(
    json.dumps(
        {
            "pods": [one.metadata.name for one in api.list_namespaced_pod(namespace).items],
            "watched": watched(),
            "echoed": echoed(),
            "code": code(),
            "forwarded": forwarded(),
        }
    )
)
