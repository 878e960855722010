import { lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { programs } from './programs.ts'

/** Contents by path below the root, in the order in which they are written; null: absent. */
export type Files = Readonly<Record<string, string | null>>

/** Programs for rules, devices and settings that the agent could run, besides those that it needs. */
const recorded = ['tailscale', 'iptables', 'ip6tables', 'nft', 'conntrack', 'mknod', 'sysctl']

export const configFile = 'etc/tailscaled/cap-95.hujson'

const defaults: Files = {
  ...Object.fromEntries(recorded.map((name) => [`usr/bin/${name}`, programs.recording])),
  'usr/bin/tailscaled': programs.tailscaled,
  'dev/net/tun': '',
  'dev/termination-log': '',
  'proc/sys/net/ipv4/ip_forward': '0',
  'proc/sys/net/ipv6/conf/all/forwarding': '0',
  [configFile]: '{"Version":"alpha0","AuthKey":"some-auth-key"}',
  'tmp/.keep': '',
}

/** The file system that the agent takes for its container's. */
export class Root {
  readonly path: string

  /** Fills the directory `path`; `changes` adds files, replaces or omits them. */
  constructor(path: string, changes: Files = {}) {
    this.path = path
    this.write({ ...defaults, ...changes })
  }

  write(files: Files): void {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.path, name)
      if (content === null) {
        rmSync(path, { force: true })
        continue
      }
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, content, { mode: 0o755 })
    }
  }

  /** The content of a file or the target of a link, as seen from within; empty if absent. */
  read(name: string): string {
    const path = join(this.path, name)
    const kind = lstatSync(path, { throwIfNoEntry: false })
    if (kind === undefined) return ''
    return (kind.isSymbolicLink() ? readlinkSync(path) : readFileSync(path, 'utf8')).replaceAll(this.path, '').trim()
  }

  /** The calls of the root's programs so far, in order, with paths as seen from within. */
  get calls(): string[] {
    const record = this.read('record')
    return record === '' ? [] : record.split('\n').map((line) => line.trim())
  }
}
