import type { Seen } from '../kube/controller/faulty-proxy.ts'

/** Requests by method and resource, divided by a number of objects; without watches. */
export function requestsPer(many: number, seen: readonly Seen[]): Record<string, number> {
  const groups = Object.groupBy(
    seen.filter(({ url }) => !url.includes('watch=true')),
    ({ method, url }) => {
      const path = url.replace(/\?.*/, '').replace(/\/namespaces\/[^/]+(?=\/)/, '')
      const [resource = '', , ...rest] = path.split('/').slice(path.startsWith('/api/') ? 3 : 4)
      return [method, resource, ...rest].join(' ')
    },
  )
  return Object.fromEntries(Object.entries(groups).map(([what, requests]) => [what, requests!.length / many]))
}
