import type { Bed } from '../lab/bed.ts'
import { Proxy } from './proxy.ts'
import type { SecretBed } from './secret-bed.ts'

/**
 * Starts a replica of a group with shared certificates, in the host of the same name; its serve config is in
 * `/etc/serve`. The replica whose name ends in `-0` issues the certificates.
 */
export async function startReplica(bed: Bed, name: string, state: SecretBed): Promise<Proxy> {
  return await Proxy.ready(
    bed,
    {
      ...state.env(),
      TS_USERSPACE: 'true',
      CULVERT_TEST_SHORT_WAITS: 'true',
      TS_HOSTNAME: name,
      TS_AUTHKEY: await bed.authKey({ tags: ['tag:group'] }),
      TS_SERVE_CONFIG: '/etc/serve/serve-config.json',
      TS_EXPERIMENTAL_CERT_SHARE: 'true',
      POD_NAME: name,
    },
    { host: name },
  )
}
