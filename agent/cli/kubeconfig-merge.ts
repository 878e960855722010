import { CulvertError } from '../../lib/errors.ts'
import { quote } from '../../lib/quote.ts'
import { type Fields, type Kubeconfig, readKubeconfig, type Section } from './kubeconfig-text.ts'

/** A file of kubeconfig; the text is empty if there is no such file yet. */
export type ConfigFile = { readonly path: string; readonly text: string }

/** What the context, its cluster and its user are called, and the proxy's URL. */
export type Entry = { readonly name: string; readonly server: string }

export type MergeOptions = {
  /** Replaces what has the name and is for something else. */
  readonly force: boolean
  /** Makes it the current context, also if there is another one. */
  readonly setCurrent: boolean
}

/** kubectl asks for credentials if a user has none. */
const token = 'unused'

/**
 * Adds an entry to the files of a kubeconfig, of which the first takes precedence. As kubectl does, what exists is
 * changed where it is, and what is new goes into the first file. Returns the files that change; what is there for the
 * same server stays as it is, with its credentials.
 * @throws CulvertError `kubeconfig` for files that cannot be read, and for an entry of that name for something else.
 */
export function merge(files: readonly ConfigFile[], entry: Entry, options: MergeOptions): ConfigFile[] {
  const configs = files.map(({ path, text }) => readKubeconfig(path, text))
  const changed = new Set<Kubeconfig>()
  const holder = (section: Section, name: string): Kubeconfig | undefined =>
    configs.find((config) => config.has(section, name))
  const change = (config: Kubeconfig, how: (config: Kubeconfig) => void): void => {
    how(config)
    changed.add(config)
  }
  const puts = putsOf((section, name) => holder(section, name)?.get(section, name), entry, options.force)
  for (const [section, name, fields] of puts)
    change(holder(section, name) ?? configs[0]!, (config) => config.put(section, name, fields))
  const current = configs.map((config) => config.current).find((name) => name !== '')
  if (current === undefined || (options.setCurrent && current !== entry.name))
    change(configs[0]!, (config) => config.setCurrent(entry.name))
  return [...changed].map((config) => ({ path: config.path, text: config.text() }))
}

type Put = readonly [section: Section, name: string, fields: Fields]

/** What must be written. */
function putsOf(
  get: (section: Section, name: string) => Fields | undefined,
  { name, server }: Entry,
  force: boolean,
): Put[] {
  const context = get('contexts', name)
  const named = (what: 'cluster' | 'user'): string => {
    const value = context?.[what]
    return typeof value === 'string' && value !== '' ? value : name
  }
  const refers = { cluster: named('cluster'), user: named('user') }
  const cluster = get('clusters', refers.cluster)
  const user = get('users', refers.user)
  const isOurs = cluster !== undefined && addressOf(cluster) === originOf(server)
  const isFree = cluster === undefined && (user === undefined || isMeaningless(user))
  if (!isOurs && !isFree) {
    if (!force) throw conflict(name, cluster && addressOf(cluster), user)
    return [
      ['clusters', name, { server }],
      ['users', name, { token }],
      ['contexts', name, { cluster: name, user: name }],
    ]
  }
  const isComplete = context?.['cluster'] === refers.cluster && context['user'] === refers.user
  return [
    ...(cluster ? [] : [['clusters', refers.cluster, { server }] as const]),
    ...(user ? [] : [['users', refers.user, { token }] as const]),
    ...(isComplete ? [] : [['contexts', name, { ...context, ...refers }] as const]),
  ]
}

const isMeaningless = (user: Fields): boolean => Object.keys(user).length === 1 && user['token'] === token

/** A URL without user and password, which must not get into messages, and without a slash at its end. */
function originOf(url: string): string | undefined {
  const parsed = URL.parse(url)
  return parsed ? `${parsed.protocol}//${parsed.host}${parsed.pathname.replace(/\/+$/, '')}` : undefined
}
const addressOf = ({ server }: Fields): string | undefined =>
  typeof server === 'string' ? originOf(server) : undefined

/** The fields of a user that may be named. */
const credentials = ['client-certificate', 'client-certificate-data', 'exec', 'auth-provider', 'token', 'username']

function conflict(name: string, address: string | undefined, user: Fields | undefined): CulvertError {
  const kinds = credentials.filter((kind) => user !== undefined && Object.hasOwn(user, kind))
  const there = [
    ...(address === undefined ? [] : [`for ${quote(address, 200)}`]),
    ...(user === undefined || isMeaningless(user) ? [] : [`with ${kinds.join(', ') || 'other'} as credentials`]),
  ]
  return new CulvertError(
    'kubeconfig',
    `there is something else of the name ${quote(name)} already, ${there.join(', ') || 'for no address'}`,
    { remedy: 'Choose another name by --context=NAME, or replace it by --force.' },
  )
}
