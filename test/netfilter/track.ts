import type { Host } from '../lab/hosts/host.ts'

/** One flow: client, destination, who answers, to whom; protocol and ports. */
export type Line = readonly [from: string, to: string, by: string, back: string, protocol: string, port?: number]

/** Inserts flows into the kernel's connection tracking, translated like this. */
export async function track(host: Host, lines: readonly Line[]): Promise<void> {
  const text = lines.map(([from, to, by, back, protocol, port], index) => {
    const client = 2000 + (index % 60_000)
    const ports = `--sport ${client} --dport ${port} --reply-port-src ${port} --reply-port-dst ${client}`
    const more = port === undefined ? '' : `${ports}${protocol === 'tcp' ? ' --state ESTABLISHED' : ''}`
    return `-A -t 600 -s ${from} -d ${to} -r ${by} -q ${back} -p ${protocol} ${more}\n`
  })
  // conntrack opens its input by path, which fails for the socket that a process gets as its standard input here.
  await host.exec(['sh', '-c', 'cat | conntrack -R -'], { input: text.join('') })
}
