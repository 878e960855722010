import { join } from 'node:path'
import { gateway } from '../namespaces/addresses.ts'

export const acmeAddress = gateway('wan').v4

/** The file with the trusted certificates in every host, as named inside. */
export const trusted = '/etc/lab-ca.pem'

/** `directory` is the gateway's port, which tailscaled uses; `authority` is behind it. */
export const acmePorts = { directory: 14000, authority: 14001, management: 15000 } as const

/** The files of a bed's certificate authority. */
export function acmePaths(directory: string) {
  const file = (name: string): string => join(directory, name)
  return {
    directory,
    certificate: file('cert.pem'),
    key: file('key.pem'),
    settings: file('pebble.json'),
    trust: file('trust.pem'),
    /** The socket on which the gateway is told about faults. */
    socket: file('gateway.sock'),
  } as const
}
