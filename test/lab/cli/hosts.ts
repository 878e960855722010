import type { HostSpec, Topology } from '../spec.ts'
import { UsageError } from './verb.ts'

type Mutable = { -readonly [K in keyof HostSpec]: HostSpec[K] }

const words: Readonly<Record<string, (host: Mutable) => void>> = {
  wan: (host) => (host.network = 'wan'),
  cluster: (host) => (host.network = 'cluster'),
  tailscaled: (host) => (host.tailscaled = true),
  v4only: (host) => (host.ipv6 = false),
  v6only: (host) => (host.ipv4 = false),
}

/** Reads `name:word:word,name:word…`, such as `client:wan:tailscaled,backend:cluster`. Throws UsageError. */
export function parseHosts(text: string): Topology {
  const hosts: Record<string, HostSpec> = {}
  for (const part of text.split(',')) {
    const [name = '', ...traits] = part.trim().split(':')
    if (Object.hasOwn(hosts, name)) throw new UsageError(`--hosts names ${name} twice`)
    const host: Mutable = { network: 'cluster' }
    if (!traits.includes('wan') && !traits.includes('cluster')) {
      throw new UsageError(`--hosts: "${part}" does not say where it is: ${name}:wan or ${name}:cluster`)
    }
    for (const trait of traits) {
      const apply = Object.hasOwn(words, trait) ? words[trait] : undefined
      if (apply === undefined) throw new UsageError(`--hosts: "${trait}" is none of ${Object.keys(words).join(', ')}`)
      apply(host)
    }
    hosts[name] = host
  }
  return hosts
}
