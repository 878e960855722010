/**
 * The beginning of a command that runs the rest inside the network, mount and process namespaces of process `pid`, or
 * with the network of another process. `cwd` is a directory as named inside. nsenter stays as the parent of the actual
 * command and exits as it does.
 */
export function enter(pid: number, { cwd = '/', network = pid } = {}): string[] {
  const net = `--net=/proc/${network}/ns/net`
  return ['nsenter', '--target', String(pid), net, '--mount', '--pid', `--wdns=${cwd}`, '--']
}

/** Like `enter`, but for the network only: files and process IDs stay those of the caller. */
export function enterNetwork(pid: number): string[] {
  return ['nsenter', '--target', String(pid), '--net', '--']
}
