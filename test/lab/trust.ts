import type { Bed, Host } from './bed.ts'

/** Lets the browsers of this home, in a host, trust the bed's certificate authority. */
export async function trust(bed: Bed, host: Host, home: string): Promise<void> {
  const database = `${home}/.pki/nssdb`
  const certutil = ['certutil', '-d', `sql:${database}`]
  await host.exec(['mkdir', '-p', database])
  await host.exec([...certutil, '-N', '--empty-password'])
  const certificates = (await bed.acme.trust()).split(/(?=-----BEGIN)/)
  for (const [at, input] of certificates.entries()) {
    await host.exec([...certutil, '-A', '-n', `authority ${at}`, '-t', 'C,,', '-a'], { input })
  }
}
