import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { projectRoot } from '../../lab/paths.ts'
import { readYaml } from '../../users/readers/yaml.ts'

/** The objects in each block of YAML of a page. */
export function manifests(page: string): readonly (readonly KubeObject[])[] {
  const text = readFileSync(join(projectRoot, page), 'utf8')
  return [...text.matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, block = '']) => readYaml<KubeObject>(block))
}
