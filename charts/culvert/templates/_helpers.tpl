{{- /* The name of objects in the namespace: as with the chart of Tailscale's operator. */ -}}
{{- define "culvert.name" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if .Values.nameOverride -}}
{{ printf "%s-%s" .Release.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- else -}}
operator
{{- end -}}
{{- end -}}

{{- /* The same of objects without a namespace. */ -}}
{{- define "culvert.clusterName" -}}
{{- if or .Values.fullnameOverride .Values.nameOverride -}}
{{ include "culvert.name" . }}
{{- else -}}
tailscale-operator
{{- end -}}
{{- end -}}

{{- define "culvert.labels" -}}
app.kubernetes.io/name: culvert
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- /* The Lease of a shard, counted from 0. */ -}}
{{- define "culvert.leaseName" -}}
culvert-operator{{ if . }}-{{ . }}{{ end }}
{{- end -}}

{{- /* An image's name of {image, repository, tag}, of which the last two are defaults. */ -}}
{{- define "culvert.image" -}}
{{- $name := .image.repo | default .image.repository | default .repository -}}
{{- if .image.digest -}}
{{ printf "%s@%s" $name .image.digest }}
{{- else -}}
{{ printf "%s:%s" $name (.image.tag | default .tag | toString) }}
{{- end -}}
{{- end -}}

{{- define "culvert.operatorImage" -}}
{{ include "culvert.image" (dict "image" .Values.operatorConfig.image "repository" "culvert/operator" "tag" .Chart.AppVersion) }}
{{- end -}}

{{- define "culvert.proxyImage" -}}
{{- if eq .Values.proxyConfig.agent "upstream" -}}
{{ include "culvert.image" (dict "image" .Values.proxyConfig.image "repository" "tailscale/tailscale" "tag" "latest") }}
{{- else -}}
{{ include "culvert.image" (dict "image" .Values.proxyConfig.image "repository" "culvert/agent" "tag" .Chart.AppVersion) }}
{{- end -}}
{{- end -}}

{{- /* What the operator's Pods and the one that cleans up have in common. */ -}}
{{- define "culvert.pod" -}}
serviceAccountName: {{ include "culvert.name" . }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operatorConfig.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.operatorConfig.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operatorConfig.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operatorConfig.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .Values.operatorConfig.podSecurityContext | nindent 2 }}
volumes:
  {{- if .Values.oauth.audience }}
  - name: oidc-jwt
    projected:
      sources:
        - serviceAccountToken:
            audience: {{ .Values.oauth.audience }}
            expirationSeconds: 3600
            path: token
  {{- else if .Values.oauthSecretVolume }}
  - name: oauth
    {{- toYaml .Values.oauthSecretVolume | nindent 4 }}
  {{- else }}
  - name: oauth
    secret:
      secretName: operator-oauth
  {{- end }}
{{- end -}}

{{- /* The same of their container: its image, environment and mounts. */ -}}
{{- define "culvert.container" -}}
image: {{ include "culvert.operatorImage" . }}
imagePullPolicy: {{ .Values.operatorConfig.image.pullPolicy }}
env:
  {{- if .Values.oauth.audience }}
  - name: CLIENT_ID
    value: {{ .Values.oauth.clientId | quote }}
  {{- else }}
  - name: CLIENT_ID_FILE
    value: /oauth/client_id
  - name: CLIENT_SECRET_FILE
    value: /oauth/client_secret
  {{- end }}
  {{- with .Values.loginServer }}
  - name: OPERATOR_LOGIN_SERVER
    value: {{ . | quote }}
  {{- end }}
  {{- if ne .Values.operatorConfig.logging "info" }}
  - name: OPERATOR_LOGGING
    value: {{ .Values.operatorConfig.logging }}
  {{- end }}
  {{- if ne (include "culvert.name" .) "operator" }}
  - name: OPERATOR_SECRET
    value: {{ include "culvert.name" . }}
  {{- end }}
  {{- with .Values.operatorConfig.namespaces }}
  - name: CULVERT_NAMESPACES
    value: {{ join "," . | quote }}
  {{- end }}
  {{- if ne (int .Values.operatorConfig.shards) 1 }}
  - name: CULVERT_SHARDS
    value: {{ .Values.operatorConfig.shards | quote }}
  {{- end }}
  - name: OPERATOR_INGRESS_CLASS_NAME
    value: {{ .Values.ingressClass.name | quote }}
  {{- if eq .Values.proxyConfig.agent "upstream" }}
  - name: CULVERT_AGENT
    value: upstream
  {{- end }}
  - name: PROXY_IMAGE
    value: {{ include "culvert.proxyImage" . }}
  {{- with .Values.apiServerProxyConfig.image }}
  {{- if or .repository .repo .tag .digest }}
  - name: K8S_PROXY_IMAGE
    value: {{ include "culvert.image" (dict "image" . "repository" "culvert/apiserver" "tag" $.Chart.AppVersion) }}
  {{- end }}
  {{- end }}
  {{- if ne (.Values.apiServerProxyConfig.mode | toString) "false" }}
  - name: APISERVER_PROXY
    value: {{ .Values.apiServerProxyConfig.mode | quote }}
  {{- with .Values.operatorConfig.hostname }}
  - name: OPERATOR_HOSTNAME
    value: {{ . | quote }}
  {{- end }}
  {{- with .Values.operatorConfig.defaultTags }}
  - name: OPERATOR_INITIAL_TAGS
    value: {{ join "," . | quote }}
  {{- end }}
  {{- end }}
  {{- with .Values.recorderConfig.image }}
  {{- if or .repository .repo .tag .digest }}
  - name: CULVERT_RECORDER_IMAGE
    value: {{ include "culvert.image" (dict "image" . "repository" "culvert/recorder" "tag" $.Chart.AppVersion) }}
  {{- end }}
  {{- end }}
  - name: PROXY_TAGS
    value: {{ .Values.proxyConfig.defaultTags | quote }}
  {{- with .Values.proxyConfig.firewallMode }}
  - name: PROXY_FIREWALL_MODE
    value: {{ . }}
  {{- end }}
  {{- with .Values.proxyConfig.defaultProxyClass }}
  - name: PROXY_DEFAULT_CLASS
    value: {{ . | quote }}
  {{- end }}
  {{- if eq (.Values.operatorConfig.sharedACMEAccountKey | toString) "true" }}
  - name: OPERATOR_SHARED_ACME_ACCOUNT_KEY
    value: 'true'
  {{- end }}
  {{- with .Values.operatorConfig.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
securityContext: {{- toYaml .Values.operatorConfig.securityContext | nindent 2 }}
volumeMounts:
  {{- if .Values.oauth.audience }}
  - name: oidc-jwt
    mountPath: /var/run/secrets/tailscale/serviceaccount
    readOnly: true
  {{- else }}
  - name: oauth
    mountPath: /oauth
    readOnly: true
  {{- end }}
{{- end -}}

{{- /* The only namespaces that the operator is for, as a list: its own is one of them. Empty: all. */ -}}
{{- define "culvert.namespaces" -}}
{{- if .Values.operatorConfig.namespaces -}}
{{- prepend .Values.operatorConfig.namespaces .Release.Namespace | uniq | toYaml -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{- define "culvert.eventRules" -}}
- apiGroups: ['']
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- /* What the operator may do with objects of users, in all namespaces or in each of some. */ -}}
{{- define "culvert.objectRules" -}}
- apiGroups: ['']
  resources: [services]
  verbs: [list, watch, patch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch, patch]
- apiGroups: ['']
  resources: [services/status]
  verbs: [patch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
- apiGroups: [tailscale.com]
  resources: [proxygrouppolicies]
  verbs: [list, watch]
- apiGroups: [tailscale.com]
  resources: [proxygrouppolicies/status]
  verbs: [patch]
# Which Services of ProxyGroups have Pods that are ready.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{ include "culvert.eventRules" . }}
{{- end -}}

{{- /* A Role with `rules` in `namespace` for the operator. */ -}}
{{- define "culvert.objectRole" -}}
{{- $name := include "culvert.clusterName" .root }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ .namespace }}
  labels: {{- include "culvert.labels" .root | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ .namespace }}
  labels: {{- include "culvert.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "culvert.name" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
