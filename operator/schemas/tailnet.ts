import * as z from 'zod/mini'
import { tailnets } from '../objects/resources.ts'
import { ageColumn, type Definition, statusColumn } from './definition.ts'
import { conditions, field, maybe } from './field.ts'

export const tailnet = {
  resource: tailnets,
  description: 'A tailnet beside the default one, with the credentials for it.',
  shortNames: ['tn'],
  columns: [ageColumn, statusColumn('TailnetReady')],
  spec: z.object({
    loginUrl: maybe('URL of the control server. Default: that of Tailscale.', z.string()),
    credentials: field(
      'The credentials of an OAuth client.',
      z.object({
        secretName: field(
          'Name of a Secret in the operator’s namespace: client_id and one of client_secret and audience.',
          z.string(),
        ),
      }),
    ),
  }),
  status: z.object({ conditions: conditions() }),
} satisfies Definition
