/**
 * The start of a command that runs the rest inside the network, mount and process namespaces of process `pid`, or with
 * the network of another process. `cwd` is a directory as it is named inside. nsenter stays as the parent of the real
 * command and takes over its exit.
 */
export function enter(pid: number, { cwd = '/', network = pid } = {}): string[] {
  const net = `--net=/proc/${network}/ns/net`
  return ['nsenter', '--target', String(pid), net, '--mount', '--pid', `--wdns=${cwd}`, '--']
}

/** As `enter`, but only into the network: files and process numbers stay those of the caller. */
export function enterNetwork(pid: number): string[] {
  return ['nsenter', '--target', String(pid), '--net', '--']
}
