import { parseAllDocuments } from 'yaml'

/**
 * The documents of a YAML text. Compose and kubectl take it as YAML 1.2, with `<<` for what is merged in; Helm as 1.1, in
 * which yes and no are booleans.
 */
export const readYaml = <Document>(text: string, version: '1.1' | '1.2' = '1.2'): Document[] =>
  parseAllDocuments(text, { merge: true, version }).map((document) => document.toJS() as Document)
