import { Graphviz } from '@hpcc-js/wasm-graphviz'

// The build makes a file of this one, as of yaml.ts.

/**
 * The SVG of a graph in the language of Graphviz.
 * @throws Error if the text is not such a graph.
 */
export async function drawn(dot: string): Promise<string> {
  return (await Graphviz.load()).dot(dot, 'svg')
}
