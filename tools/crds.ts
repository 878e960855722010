import { stringify } from 'yaml'
import { definitions } from '../operator/schemas/all.ts'
import { crdOf } from '../operator/schemas/definition.ts'

/** The folders with the files: of the plain manifest, and of the chart, which can contain only its own. */
export const crdFolders = ['operator/crds', 'charts/culvert/files/crds'] as const

/** The files of these folders, generated from operator/schemas/. A test compares them. */
export const crdFiles = (): ReadonlyMap<string, string> =>
  new Map(
    definitions.map((definition) => [
      `${definition.resource.plural}.yaml`,
      `# Generated from operator/schemas/ by \`npm run format\`.\n${stringify(crdOf(definition), { lineWidth: 0, singleQuote: true, aliasDuplicateObjects: false })}`,
    ]),
  )
