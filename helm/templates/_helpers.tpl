{{- define "patchbay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "patchbay.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "patchbay.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "patchbay.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Never changes between versions: selectors are made of it. */}}
{{- define "patchbay.selector" -}}
app.kubernetes.io/name: {{ include "patchbay.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "patchbay.labels" -}}
{{ include "patchbay.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "patchbay.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "patchbay.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "patchbay.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* A value as the text of an environment variable: whole numbers stay whole, since YAML reads them as floats. */}}
{{- define "patchbay.text" -}}
{{- if kindIs "string" . -}}{{ . | quote }}{{- else -}}{{ . | toJson | quote }}{{- end -}}
{{- end -}}

{{- define "patchbay.presets" -}}
{{- if .Values.connector.presets -}}{{ .Values.connector.presets | toJson }}{{- end -}}
{{- end -}}

{{/* What was given as a value: the data of the Secret that the chart makes. */}}
{{- define "patchbay.secretData" -}}
{{- range $name, $secret := .Values.secrets }}
{{- if $secret.value }}
{{ $name }}: {{ $secret.value | b64enc | quote }}
{{- end }}
{{- end }}
{{- range $name, $secret := .Values.connector.presetSecrets }}
{{- if $secret.value }}
{{ $name }}: {{ $secret.value | b64enc | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* One secret variable. Takes (dict "root" $ "name" NAME "secret" its-values "made" name-of-our-secret). */}}
{{- define "patchbay.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
{{- if .secret.existingSecret }}
      name: {{ .secret.existingSecret }}
      key: {{ default .name .secret.key }}
{{- else }}
      name: {{ .made }}
      key: {{ .name }}
{{- end }}
{{- end -}}

{{/* How many proxies are in front, where nothing is said: the controller of the ingress or of the gateway, which adds its caller to X-Forwarded-For. */}}
{{- define "patchbay.trustedProxies" -}}
{{- if hasKey .Values.settings "TRUSTED_PROXIES" -}}
{{ include "patchbay.text" .Values.settings.TRUSTED_PROXIES }}
{{- else -}}
{{ ternary "1" "0" (or .Values.ingress.enabled .Values.gateway.enabled) | quote }}
{{- end -}}
{{- end -}}

{{/* The environment of server, worker and migration. Takes (dict "root" $ "made" name-of-our-secret). */}}
{{- define "patchbay.env" -}}
{{- $root := .root -}}
{{- $made := .made -}}
{{- if $root.Values.postgresql.enabled }}
- name: POSTGRES_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ default (printf "%s-postgresql" (include "patchbay.fullname" $root)) $root.Values.postgresql.password.existingSecret }}
      key: {{ $root.Values.postgresql.password.key }}
- name: DATABASE_URL
  value: postgresql://patchbay:$(POSTGRES_PASSWORD)@{{ include "patchbay.fullname" $root }}-postgresql:5432/patchbay
{{- end }}
{{- if $root.Values.redis.enabled }}
- name: REDIS_URL
  value: redis://{{ include "patchbay.fullname" $root }}-redis:6379
{{- end }}
{{- range $name, $secret := $root.Values.secrets }}
{{- if or $secret.value $secret.existingSecret }}
{{ include "patchbay.secretEnv" (dict "name" $name "secret" $secret "made" $made) }}
{{- end }}
{{- end }}
{{- range $name, $secret := $root.Values.connector.presetSecrets }}
{{ include "patchbay.secretEnv" (dict "name" $name "secret" $secret "made" $made) }}
{{- end }}
{{- if $root.Values.connector.existingSecret }}
{{ include "patchbay.secretEnv" (dict "name" "CONNECTOR__PRESETS" "secret" (dict "existingSecret" $root.Values.connector.existingSecret "key" $root.Values.connector.existingSecretKey)) }}
{{- else if $root.Values.connector.presets }}
{{ include "patchbay.secretEnv" (dict "name" "CONNECTOR__PRESETS" "secret" (dict) "made" (printf "%s-presets" (include "patchbay.fullname" $root))) }}
{{- end }}
- name: TRUSTED_PROXIES
  value: {{ include "patchbay.trustedProxies" $root }}
{{- range $name, $value := omit $root.Values.settings "TRUSTED_PROXIES" }}
{{- if not (and (eq $name "MIGRATE") $root.Values.postgresql.enabled) }}
- name: {{ $name }}
  value: {{ include "patchbay.text" $value }}
{{- end }}
{{- end }}
{{- with $root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "patchbay.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "patchbay.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: metrics }
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* A deployment. Takes (dict "root" $ "component" server|worker "command" list "ports" list). */}}
{{- define "patchbay.deployment" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $part := index $root.Values $component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "patchbay.fullname" $root }}-{{ $component }}
  labels:
    {{- include "patchbay.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $component }}
spec:
  {{- if not $part.autoscaling.enabled }}
  replicas: {{ $part.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "patchbay.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $component }}
  template:
    metadata:
      labels:
        {{- with $part.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
        {{- include "patchbay.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
        patchbay/metrics: "true"
      annotations:
        patchbay/secrets: {{ include "patchbay.secretData" $root | sha256sum }}
        patchbay/presets: {{ include "patchbay.presets" $root | sha256sum }}
        {{- with $part.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      serviceAccountName: {{ include "patchbay.serviceAccount" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
      securityContext:
        {{- toYaml $root.Values.podSecurityContext | nindent 8 }}
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      topologySpreadConstraints:
        {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "patchbay.selector" $root | nindent 14 }}
              app.kubernetes.io/component: {{ $component }}
        {{- end }}
      {{- with $part.nodeSelector }}
      nodeSelector: {{ toYaml . | nindent 8 }}
      {{- end }}
      {{- with $part.tolerations }}
      tolerations: {{ toYaml . | nindent 8 }}
      {{- end }}
      {{- with $part.affinity }}
      affinity: {{ toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ $component }}
          image: {{ include "patchbay.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          command: {{ .command | toJson }}
          ports:
            {{- range $name, $port := .ports }}
            - name: {{ $name }}
              containerPort: {{ $port | int }}
            {{- end }}
          env:
            {{- include "patchbay.env" (dict "root" $root "made" (include "patchbay.fullname" $root)) | trim | nindent 12 }}
            {{- if and (eq $component "server") (not $root.Values.settings.INTERNAL_URL) }}
            # how servers reach one another, past the service
            - name: POD_IP
              valueFrom: { fieldRef: { fieldPath: status.podIP } }
            - name: INTERNAL_URL
              value: http://$(POD_IP):{{ $root.Values.settings.PORT | int }}
            {{- end }}
          {{- include "patchbay.probes" $root | nindent 10 }}
          resources:
            {{- toYaml $part.resources | nindent 12 }}
          securityContext:
            {{- include "patchbay.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - { name: data, mountPath: {{ $root.Values.settings.DATA_DIR }} }
            - { name: tmp, mountPath: /tmp }
            {{- with $root.Values.extraVolumeMounts }}{{ toYaml . | nindent 12 }}{{ end }}
      volumes:
        - name: data
          emptyDir: {}
        - name: tmp
          emptyDir: {}
        {{- with $root.Values.extraVolumes }}{{ toYaml . | nindent 8 }}{{ end }}
{{- end -}}

{{/* Sets that must not be installed, in words. */}}
{{- define "patchbay.refuse" -}}
{{- if and .Values.postgresql.enabled (or .Values.secrets.DATABASE_URL.value .Values.secrets.DATABASE_URL.existingSecret) -}}
{{- fail "secrets.DATABASE_URL and postgresql.enabled: set one of them" -}}
{{- end -}}
{{- if not (or .Values.postgresql.enabled .Values.secrets.DATABASE_URL.value .Values.secrets.DATABASE_URL.existingSecret) -}}
{{- fail "secrets.DATABASE_URL: set value or existingSecret (or postgresql.enabled for a trial)" -}}
{{- end -}}
{{- if not (or .Values.secrets.ENCRYPTION_KEYS.value .Values.secrets.ENCRYPTION_KEYS.existingSecret) -}}
{{- fail "secrets.ENCRYPTION_KEYS: set value or existingSecret" -}}
{{- end -}}
{{- if and .Values.postgresql.enabled (not (or .Values.postgresql.password.value .Values.postgresql.password.existingSecret)) -}}
{{- fail "postgresql.password: set value or existingSecret" -}}
{{- end -}}
{{- if and .Values.redis.enabled (or .Values.secrets.REDIS_URL.value .Values.secrets.REDIS_URL.existingSecret) -}}
{{- fail "secrets.REDIS_URL and redis.enabled: set one of them" -}}
{{- end -}}
{{- if and .Values.connector.presets .Values.connector.existingSecret -}}
{{- fail "connector.presets and connector.existingSecret: set one of them" -}}
{{- end -}}
{{- range $name, $secret := .Values.connector.presetSecrets -}}
{{- if not (or $secret.value $secret.existingSecret) -}}
{{- fail (printf "connector.presetSecrets.%s: set value or existingSecret" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
