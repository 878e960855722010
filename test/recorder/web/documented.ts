import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { capability } from '../../../recorder/web/capability.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/recorder.md'), 'utf8')

type Grant = { readonly src: readonly string[]; readonly app: Readonly<Record<string, unknown>> }

/** The grants that docs/recorder.md has for the web page: of who sees all, and of who sees some. */
export const lookingGrants: readonly Grant[] = [...page.matchAll(/```json\n([\s\S]+?)```/g)]
  .map(([, text]) => text!)
  .filter((text) => text.includes(capability))
  .flatMap((text) => (JSON.parse(text) as { readonly grants: readonly Grant[] }).grants)
