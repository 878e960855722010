import { join } from 'node:path'
import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { documents } from '../mounted/documents.ts'
import { fileReader } from '../mounted/reader.ts'
import { rejectedEntries } from '../mounted/views.ts'
import type { Settings } from '../settings/settings.ts'
import type { Mounted } from '../world/mounted.ts'
import type { Look, Looking } from './looking.ts'

export const config = declareFindings('config', {
  ok: { level: 'ok', text: '{what}', meaning: 'All of the mounted files can be used.' },
  settings: {
    level: 'error',
    text: '{problem}',
    meaning: 'The agent would end with this at its start. A running agent goes on with its last good config file.',
  },
  warning: { level: 'warning', text: '{problem}', meaning: 'The agent logs the same at its start.' },
  rejected: {
    level: 'error',
    text: '{where}: {reason}',
    remedy: 'Correct it in what is mounted; whoever made the file may have to be asked.',
    meaning:
      'A mounted file, or an entry of it, cannot be used. Beside the running agent, the last good state stays in use.',
  },
})

type Rejected = { readonly file: string; readonly entry: string; readonly field: string; readonly reason: string }

export const lookAtConfig: Look = async (looking) => judgeConfig(await rejectedOf(looking))

async function rejectedOf({ settings, agent }: Looking): Promise<readonly Rejected[]> {
  return agent?.status.rejected ?? (await readAll(settings))
}

/** Reads what is mounted, as the agent does at its start. */
async function readAll({ egressServicesDirectory, ingressServicesFile, serveConfigFile }: Settings) {
  const found: Rejected[] = []
  const take = (file: string) => (mounted: Mounted<unknown>) => {
    if (mounted.rejected !== undefined) found.push({ file, entry: '', field: '', reason: mounted.rejected })
    found.push(...rejectedEntries(mounted).map((one) => ({ file, ...one })))
  }
  const { egressServices, healthPings, ingressServices, serveConfig } = documents
  if (egressServicesDirectory !== undefined) {
    const path = ({ name }: { readonly name: string }): string => join(egressServicesDirectory, name)
    await fileReader(path(egressServices), egressServices, take(egressServices.name))()
    await fileReader(path(healthPings), healthPings, take(healthPings.name))()
  }
  if (ingressServicesFile !== undefined)
    await fileReader(ingressServicesFile, ingressServices, take(ingressServices.name))()
  if (serveConfigFile !== undefined) await fileReader(serveConfigFile, serveConfig, take(serveConfig.name))()
  return found
}

export function judgeConfig(rejected: readonly Rejected[]): readonly Finding[] {
  if (rejected.length === 0) return [config.ok({ what: 'the settings are valid, and so is all that is mounted' })]
  return rejected.map(({ file, entry, field, reason }) =>
    config.rejected({ where: [file, entry, field].filter(Boolean).join(', '), reason }),
  )
}
