import { CulvertError } from '../../lib/errors.ts'
import { quote } from '../../lib/quote.ts'
import type { Environment } from '../settings/read.ts'
import { changeFiles, readFiles } from './kubeconfig-file.ts'
import { merge } from './kubeconfig-merge.ts'

/** Where tailscaled is asked by default: on a person's device, not in a proxy Pod. */
const standardSocket = '/var/run/tailscale/tailscaled.sock'
const accepted = 'a name such as kube, kube.tail1234.ts.net, or an URL such as https://kube.tail1234.ts.net:8443'

/**
 * Writes the entry for a proxy into the user's kubeconfig; returns what to tell them. `given` are the command's flags
 * and its argument.
 * @throws CulvertError `usage` or `kubeconfig`; then nothing has changed, or what the error says.
 */
export async function kubeconfig(given: ReadonlyMap<string, string>, env: Environment): Promise<string> {
  const socket = given.get('socket') || env['TS_SOCKET'] || standardSocket
  const server = await serverOf(given.get('NAME') ?? '', () => askSuffix(socket))
  const name = given.get('context') ?? new URL(server).hostname.split('.', 1)[0]!
  // What a shell, kubectl's messages and both forms of the file show as it is.
  if (!/^[\w.@:/+-]{1,253}$/.test(name)) throw new CulvertError('usage', `--context=${quote(name)} is no usable name`)
  const files = await readFiles(given.get('kubeconfig'), env)
  const options = { force: given.get('force') === 'true', setCurrent: given.get('set-current') === 'true' }
  const changed = merge(files, { name, server }, options)
  const where = files.map(({ path }) => path).join(', ')
  if (changed.length === 0) return `nothing to change: the context ${name} for ${server} is in ${where}\n`
  const written = await changeFiles(changed, files)
  return [...written, `the context ${name} is for ${server}: kubectl --context=${name} auth whoami`, ''].join('\n')
}

/**
 * The URL of a proxy, by its short or full name, or by itself; `suffix` gives the domain of the tailnet.
 * @throws CulvertError `usage` for anything else.
 */
export async function serverOf(text: string, suffix: () => Promise<string>): Promise<string> {
  if (text.includes('://')) {
    const url = URL.parse(text)
    const isPlain = url?.protocol === 'https:' && url.username + url.password + url.search + url.hash === ''
    if (!isPlain) throw new CulvertError('usage', `NAME is no https URL, or has more than host, port and path`)
    return url.href.replace(/\/+$/, '')
  }
  const name = text.toLowerCase().replace(/\.$/, '')
  const isName =
    name.length < 254 && name.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label))
  // The certificate is for the name.
  if (!isName || /\.\d+$/.test(name)) throw new CulvertError('usage', `kubeconfig takes the proxy: ${accepted}`)
  return `https://${name.includes('.') ? name : `${name}.${await suffix()}`}`
}

/** Asks tailscaled for the domain of the tailnet. */
async function askSuffix(socket: string): Promise<string> {
  const remedy = 'Give the full name, such as kube.tail1234.ts.net, or tailscaled’s socket by --socket=PATH.'
  const { localApi } = await import('../../localapi/client.ts')
  const { getTailnetDomain } = await import('../../localapi/status.ts')
  const domain = await getTailnetDomain(localApi(socket), new AbortController().signal).catch((cause: unknown) => {
    throw new CulvertError('kubeconfig', `tailscaled does not tell the domain of the tailnet on ${socket}`, {
      cause,
      remedy,
    })
  })
  if (domain !== '') return domain
  throw new CulvertError('kubeconfig', 'tailscaled knows no domain of a tailnet: it is not logged in', { remedy })
}
