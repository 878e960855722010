import { stringify } from 'yaml'
import { definitions } from '../operator/schemas/all.ts'
import { crdOf } from '../operator/schemas/definition.ts'

/** The files of operator/crds/, generated from operator/schemas/. A test compares them. */
export const crdFiles = (): ReadonlyMap<string, string> =>
  new Map(
    definitions.map((definition) => [
      `${definition.resource.plural}.yaml`,
      `# Generated from operator/schemas/ by \`npm run format\`.\n${stringify(crdOf(definition), { lineWidth: 0, singleQuote: true, aliasDuplicateObjects: false })}`,
    ]),
  )
