import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kubeClient, type SecretData } from '../../kube/client.ts'
import { type FollowOptions, followSecret } from '../../kube/follow.ts'
import type { InCluster } from '../../kube/service-account.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { aborted } from '../../lib/timers.ts'
import { isConfigFile } from './choose.ts'
import { events } from './log-events.ts'

export type FromSecretOptions = {
  readonly cluster: InCluster
  /** Of the Secret, in the Pod's own namespace. */
  readonly name: string
  readonly directory: string
  readonly log: Log
  readonly waits?: FollowOptions['waits']
}

/**
 * Keeps the config files in a directory as a Secret has them, until `signal` aborts. Resolves when they are there, or
 * when it aborts. At first, a Secret that cannot be read or has none is waited for; later the last files stay.
 * @throws CulvertError `settings` if they cannot be written at first
 */
export async function configFromSecret(
  { cluster, name, directory, log, waits = {} }: FromSecretOptions,
  signal: AbortSignal,
): Promise<void> {
  const first = Promise.withResolvers<void>()
  /** What is wrong with the Secret's content, and what was said of it. */
  let problem: string | undefined
  let said: string | undefined
  const tell = (text: string | undefined): void => {
    if (text !== said)
      log(text === undefined ? events.fromSecret({ secret: name }) : events.unread({ secret: name, problem: text }))
    said = text
  }
  const follow = async (): Promise<void> => {
    const options = { problem: (text: string | undefined) => tell(text ?? problem), waits }
    let written: SecretData = new Map()
    for await (const secret of followSecret(kubeClient(cluster), name, options, signal)) {
      const files: SecretData = new Map([...(secret?.data ?? [])].filter(([key]) => isConfigFile(key)))
      try {
        if (secret === undefined) throw new CulvertError('settings', 'the Secret does not exist')
        if (files.size === 0) throw new CulvertError('settings', 'the Secret has no key such as cap-107.hujson')
        await writeFiles(directory, files, written).catch((cause: unknown) => {
          const error = new CulvertError('settings', `${directory} cannot be written`, { cause })
          first.reject(error)
          throw error
        })
        written = files
        problem = undefined
        first.resolve()
      } catch (error) {
        problem = describe(error)
      }
      tell(problem)
    }
  }
  void follow()
  await Promise.race([first.promise, aborted(signal)])
}

/** Whoever reads a file finds all of its old or all of its new content. Only this user may, since it has a key. */
async function writeFiles(directory: string, files: SecretData, before: SecretData): Promise<void> {
  await mkdir(directory, { recursive: true })
  for (const [name, bytes] of files) {
    if (before.get(name)?.equals(bytes) === true) continue
    const path = join(directory, name)
    await writeFile(`${path}.new`, bytes, { mode: 0o600 })
    await rename(`${path}.new`, path)
  }
  for (const name of await readdir(directory))
    if (isConfigFile(name) && !files.has(name)) await rm(join(directory, name))
}
