import * as z from 'zod/mini'
import { recorders } from '../objects/resources.ts'
import { ageColumn, type Definition, statusColumn } from './definition.ts'
import { conditions, field, namedDevices, maybe, replicas, tags, tailnet, texts } from './field.ts'
import { containerFields, labelMap, schedulingFields } from './pod.ts'

export const recorder = {
  resource: recorders,
  description: 'Devices that keep recordings of sessions.',
  shortNames: ['rec'],
  columns: [statusColumn('RecorderReady'), { name: 'URL', path: '.status.devices[?(@.url != "")].url' }, ageColumn],
  spec: field(
    'Where recordings are kept, and how they are seen: enableUI or S3 is needed.',
    z.object({
      enableUI: maybe('Whether recordings can be seen on a web page.', z.boolean()),
      storage: maybe(
        'Where recordings are kept; without it, in the Pod.',
        z.object({
          s3: maybe(
            'In a bucket of S3.',
            z.object({
              endpoint: maybe('Endpoint, without https://.', z.string()),
              bucket: maybe('Name of the bucket.', z.string()),
              credentials: maybe(
                'Without it, those of the Pod’s environment.',
                z.object({
                  secret: maybe(
                    'A Secret with the variables of AWS.',
                    z.object({ name: maybe('Its name.', z.string()) }),
                  ),
                }),
              ),
            }),
          ),
        }),
      ),
      replicas: replicas(1),
      tags: tags('tag:k8s'),
      tailnet: tailnet('Recorder'),
      statefulSet: maybe(
        'The StatefulSet of the recorders.',
        z.looseObject({
          labels: maybe('Further labels of the StatefulSet.', labelMap()),
          annotations: maybe('Further annotations of the StatefulSet.', texts()),
          pod: maybe(
            'The Pods.',
            z.looseObject({
              labels: maybe('Further labels of the Pods.', labelMap()),
              annotations: maybe('Further annotations of the Pods.', texts()),
              ...schedulingFields,
              container: maybe('The container of the recorder.', z.looseObject(containerFields)),
              serviceAccount: maybe(
                'The ServiceAccount of the Pods.',
                z.object({
                  name: maybe(
                    'Its name, if it is not that of the Recorder.',
                    z.string().check(z.maxLength(253), z.regex(/^[a-z0-9]([a-z0-9-.]{0,61}[a-z0-9])?$/)),
                  ),
                  annotations: maybe('Its annotations.', texts()),
                }),
              ),
            }),
          ),
        }),
      ),
    }),
    {},
    [
      {
        cel: '!(has(self.replicas) && self.replicas > 1 && (!has(self.storage) || !has(self.storage.s3)))',
        message: 'more than one replica needs storage.s3',
        holds: (one) => (one.replicas ?? 1) <= 1 || one.storage?.s3 !== undefined,
      },
    ],
  ),
  status: z.object({
    conditions: conditions(),
    devices: namedDevices({ url: maybe('URL of the web page with the recordings.', z.string()) }),
  }),
} satisfies Definition
