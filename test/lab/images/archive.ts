import { run } from '../run.ts'

/** What an image's configuration says, as far as anybody here looks. */
export type ImageConfig = {
  readonly architecture: string
  readonly config: {
    readonly Entrypoint?: readonly string[] | null
    readonly Cmd?: readonly string[] | null
    readonly Healthcheck?: { readonly Test: readonly string[] }
    readonly Env?: readonly string[]
    readonly Labels?: Readonly<Record<string, string>>
    readonly User?: string
  }
  readonly history: readonly { readonly created_by?: string }[]
}

/** Reads an image's archive: its configuration, and its layers, lowest first, by their names in the archive. */
export async function readArchive(archive: string): Promise<{ config: ImageConfig; layers: readonly string[] }> {
  const [manifest] = JSON.parse(await member(archive, 'manifest.json')) as [{ Config: string; Layers: string[] }]
  return { config: JSON.parse(await member(archive, manifest.Config)) as ImageConfig, layers: manifest.Layers }
}

async function member(archive: string, name: string): Promise<string> {
  return (await run(['tar', '--extract', '--to-stdout', '--file', archive, name])).stdout
}
