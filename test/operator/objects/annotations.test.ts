import { describe, expect, it, test } from 'vitest'
import { UserError } from '../../../kube/controller/controller.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { annotations as table, readAnnotations } from '../../../operator/objects/annotations.ts'

const annotated = (annotations: Record<string, string>, kind = 'Service'): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'a', namespace: 'ns', annotations },
})

function refusal(annotations: Record<string, string>, kind?: string): string {
  try {
    readAnnotations(annotated(annotations, kind), 'ProxyInvalid')
  } catch (error) {
    if (error instanceof UserError) return `${error.reason}: ${error.message}. ${error.remedy}`
    throw error
  }
  return 'none'
}

/** The annotation's name is the one in the table. */
const nameOf = (key: keyof typeof table): string => table[key].name

describe('a good annotation', () => {
  test.each([
    ['expose', 'true', true],
    ['expose', 'yes', false],
    ['hostname', 'my-Web1', 'my-Web1'],
    ['tags', ' tag:a , tag:b-1,tag:a', ['tag:a', 'tag:b-1']],
    ['tailnetIp', '100.64.0.5', { family: 4, text: '100.64.0.5' }],
    ['tailnetIp', 'FD7A:115c:a1e0::0:5', { family: 6, text: 'fd7a:115c:a1e0::5' }],
    ['oldTailnetIp', '100.64.0.5', { family: 4, text: '100.64.0.5' }],
    ['tailnetFqdn', 'db.example.ts.net.', 'db.example.ts.net'],
    ['tailnetFqdn', 'db.headscale.internal', 'db.headscale.internal'],
    ['tailnetFqdn', '10-1-0-5-via-7.lab.ts.net', '10-1-0-5-via-7.lab.ts.net'],
    ['unprivileged', 'true', true],
    ['unprivileged', 'false', false],
    ['proxyProtocol', '2', 2],
    ['allowFrom', '*', '*'],
    ['allowFrom', 'a, b\nc', ['a', 'b', 'c']],
    ['allowFrom', '["a", "b-c"]', ['a', 'b-c']],
    ['allowFrom', '[]', []],
    ['allowFrom', "- a\n- 'b'\n", ['a', 'b']],
    ['allowFrom', '- "*"', '*'],
  ] as const)('%s: %j is read', (key, text, value) => {
    expect(readAnnotations(annotated({ [nameOf(key)]: text }), 'ProxyInvalid')).toEqual({ [key]: value })
  })

  test.each([
    ['HTTPS', 'HTTPS', {}],
    ['https+insecure', 'HTTPS+INSECURE', {}],
    ['8443=HTTPS, web=HTTP', undefined, { '8443': 'HTTPS', web: 'HTTP' }],
    ['HTTPS,80=HTTP', 'HTTPS', { '80': 'HTTP' }],
  ])('backend-protocol: %j is read', (text, everywhere, byPort) => {
    const { backendProtocol } = readAnnotations(annotated({ 'culvert/backend-protocol': text }, 'Ingress'), 'x')
    expect([backendProtocol?.all, Object.fromEntries(backendProtocol?.byPort ?? [])]).toEqual([everywhere, byPort])
  })

  it('is absent if it is empty, or for other kinds', () => {
    expect(readAnnotations(annotated({ 'tailscale.com/hostname': ' ', 'tailscale.com/funnel': 'true' }), 'x')).toEqual(
      {},
    )
  })
})

describe('a malformed annotation is refused with what it may be', () => {
  const long = 'a'.repeat(64)
  test.each([
    ['hostname', '-a'],
    ['hostname', 'a.b'],
    ['hostname', 'a_b'],
    ['hostname', long],
    ['tags', 'k8s'],
    ['tags', 'tag:1'],
    ['tags', 'tag:a,,tag:b'],
    ['tailnetIp', '100.64.0.300'],
    ['tailnetIp', '100.64.0.0/24'],
    ['tailnetIp', 'fe80::1%eth0'],
    ['oldTailnetIp', 'db.example.ts.net'],
    ['tailnetFqdn', 'db'],
    ['tailnetFqdn', '.db.ts.net'],
    ['tailnetFqdn', 'db..ts.net'],
    ['tailnetFqdn', `${long}.ts.net`],
    ['tailnetFqdn', 'd b.ts.net'],
    ['tailnetFqdn', 'https://db.ts.net'],
    ['unprivileged', 'yes'],
    ['proxyProtocol', '3'],
    ['allowFrom', 'a,*'],
    ['allowFrom', '{"a": 1}'],
    ['allowFrom', 'a.b'],
    ['allowFrom', Array.from({ length: 201 }, (_, index) => `ns${index}`).join()],
  ] as const)('%s: %j', (key, text) => {
    const message = refusal({ [nameOf(key)]: text })
    expect(message).toContain(`ProxyInvalid: annotation ${nameOf(key)} must be `)
    expect(message).toContain('Correct or remove it.')
  })

  test.each(['FTP', 'HTTP,HTTPS', '80=HTTP,80=HTTPS', '80=', ''.padEnd(3, ',')])('backend-protocol: %j', (text) => {
    expect(refusal({ 'culvert/backend-protocol': text }, 'Ingress')).toContain('culvert/backend-protocol must be')
  })

  it('names all of them at once', () => {
    expect(refusal({ 'tailscale.com/hostname': '-', 'culvert/proxy-protocol': '3' })).toBe(
      'ProxyInvalid: annotation tailscale.com/hostname must be letters, digits and hyphens between them, 63 at most, not "-"; annotation culvert/proxy-protocol must be "1" or "2", not "3". Correct or remove them.',
    )
  })

  it('repeats little of it, and nothing that is not printable', () => {
    expect(refusal({ 'tailscale.com/hostname': `\u001b[31m${'x'.repeat(10_000)}` })).toSatisfy(
      (text: string) => text.length < 300 && !text.includes('\u001b'),
    )
  })
})
