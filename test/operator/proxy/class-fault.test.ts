import { expect, test } from 'vitest'
import { describe } from '../../../lib/errors.ts'
import { refusal } from '../../../kube/error.ts'
import { blaming } from '../../../operator/proxy/class-fault.ts'

const subject = { verb: 'patch', object: 'StatefulSet "ts-web" in namespace "tailscale"' }
const thrown = (status: number, message: string, of: { name: string } | undefined): string => {
  try {
    return blaming(of)(refusal(subject, status, JSON.stringify({ kind: 'Status', status: 'Failure', message }), []))
  } catch (error) {
    return describe(error)
  }
}
const unknownField =
  'failed to create typed patch object (tailscale/ts-web; apps/v1, Kind=StatefulSet): .spec.template.spec.foo: field not declared in schema'
const invalid =
  'StatefulSet.apps "ts-web" is invalid: spec.template.spec.containers[0].resources.limits[memory]: Invalid value: "1Mib"'
const quantity = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

test.each([
  [500, unknownField, '.spec.template.spec.foo: field not declared in schema'],
  [
    500,
    `failed to convert new object (tailscale/ts-web; apps/v1, Kind=StatefulSet) to proper version: unable to convert unstructured object to apps/v1, Kind=StatefulSet: ${quantity}`,
    quantity,
  ],
  [400, quantity, quantity],
  [422, invalid, invalid],
])('what the API refuses of a StatefulSet (%i) is the fault of its ProxyClass', (status, message, said) => {
  expect(thrown(status, message, { name: 'small' })).toBe(
    `ProxyClass "small" makes a StatefulSet that the API refuses: ${said}. Correct the ProxyClass.`,
  )
})

test.each([
  [500, 'etcdserver: request timed out'],
  [403, 'admission webhook "owners" denied the request: no owner'],
  [400, 'admission webhook "owners" denied the request: no owner'],
  [422, 'updates to statefulset spec for fields other than replicas are forbidden'],
])('other failures (%i %s) stay as they are', (status, message) => {
  expect(thrown(status, message, { name: 'small' })).toContain(`patch of ${subject.object}`)
})

test('without a class nobody is blamed', () => {
  expect(thrown(400, quantity, undefined)).toContain(`patch of ${subject.object} was refused: 400`)
})
