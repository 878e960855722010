import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withPort, parseAddress } from '../../../lib/address.ts'
import { makePair } from '../../certs/make.ts'
import type { Host } from '../../lab/bed.ts'
import { projectRoot } from '../../lab/paths.ts'
import { builtPrograms } from '../../lab/ready.ts'
import { accessKeyId, secretAccessKey } from './keys.ts'

/** Where a bed's S3 server is, and the authority of its certificate, PEM. */
export type HostS3 = { readonly endpoint: string; readonly ca: string }

/** Starts a real S3 server with a bucket in a host of a bed, by HTTPS. */
export async function startHostS3(host: Host, bucket: string): Promise<HostS3> {
  const address = host.address.v4 ?? ''
  const endpoint = withPort(parseAddress(address)!, 7070)
  const [{ versitygw }, pair] = await Promise.all([builtPrograms('s3'), makePair([], [address])])
  const root = '/tmp/s3'
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(host.path(join(root, name)), text, { mode: 0o600 })
    return join(root, name)
  }
  for (const folder of ['objects', 'sidecar']) await mkdir(host.path(join(root, folder)), { recursive: true })
  const tls = ['--cert', await write('cert.pem', pair.certificate), '--key', await write('key.pem', pair.key)]
  const access = ['--access', accessKeyId, '--secret', secretAccessKey, '--port', endpoint]
  const folders = ['--sidecar', join(root, 'sidecar'), join(root, 'objects')]
  await host.spawn([join(versitygw, 'versitygw'), ...access, ...tls, 'posix', ...folders], { name: 's3' })
  const program = join(import.meta.dirname, 'make-bucket.ts')
  await host.exec([process.execPath, program, `https://${endpoint}`, bucket], {
    cwd: projectRoot,
    env: { NODE_EXTRA_CA_CERTS: join(root, 'cert.pem') },
  })
  return { endpoint, ca: pair.certificate }
}
