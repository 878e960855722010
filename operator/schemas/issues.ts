import type * as z from 'zod/mini'

/** What is wrong with a spec, one text for each fault: where it is, and why. */
export const issueTexts = ({ issues }: z.core.$ZodError): readonly string[] =>
  issues.map(({ path, message }) => `spec${path.map(stepOf).join('')}: ${message}`)

const stepOf = (part: PropertyKey): string => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)
