import { expect, it, test } from 'vitest'
import * as z from 'zod/mini'
import { definitions } from '../../../operator/schemas/all.ts'
import { issueTexts } from '../../../operator/schemas/issues.ts'
import { structural } from '../../../operator/schemas/structural.ts'
import { examples, refused } from './examples.ts'

const specOf = (kind: string) => definitions.find(({ resource }) => resource.kind === kind)!.spec

test.each(examples().map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))(
  'the example %s is accepted, and none of it is lost',
  (_name, object) => {
    expect(z.safeParse(specOf(object.kind), object['spec'])).toEqual({ success: true, data: object['spec'] })
  },
)

test.each(refused)('%s %j is refused', (kind, spec, reason) => {
  const { error } = z.safeParse(specOf(kind), spec)
  expect(error && issueTexts(error).join()).toContain(reason)
})

it('has no schema for types that the API does not know', () => {
  expect(() => structural(z.object({ a: z.union([z.string(), z.boolean()]) }))).toThrow('.a: no such union')
  expect(() => structural(z.object({ a: z.literal('x') }))).toThrow('.a: structural schemas have no const')
  expect(structural(z.object({ a: z.unknown() }))).toEqual({
    type: 'object',
    required: ['a'],
    properties: { a: { 'x-kubernetes-preserve-unknown-fields': true } },
  })
})
