{{/* Which objects are this release's. */}}
{{- define "dgawatch.selector" -}}
app.kubernetes.io/name: dgawatch
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dgawatch.labels" -}}
{{ include "dgawatch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* What all objects are called. */}}
{{- define "dgawatch.name" -}}
{{ if contains "dgawatch" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-dgawatch" (.Release.Name | trunc 54 | trimSuffix "-") }}{{ end }}
{{- end }}

{{/* The sensor's configuration. */}}
{{- define "dgawatch.settings" -}}
interface = {{ .Values.interfaces | toJson }}
state-dir = "/var/lib/dgawatch"
sandbox = "try"
{{- with .Values.settings }}
{{ . | trim }}
{{- end }}
[web]
listen-address = [{{ printf "%s:%v" .Values.listenAddress .Values.port | toJson }}]
{{- if .Values.webSecret }}
config.file = "/etc/dgawatch-web/web.yml"
{{- end }}
{{- with .Values.webSettings }}
{{ . | trim }}
{{- end }}
{{- end }}

{{/* How the kubelet asks: where a password may be wanted, whether anybody is there. */}}
{{- define "dgawatch.ask" -}}
{{- $host := ternary "127.0.0.1" .root.Values.listenAddress (has .root.Values.listenAddress (list "127.0.0.1" "0.0.0.0")) -}}
{{ if .root.Values.webSecret -}}
tcpSocket: {host: {{ $host }}, port: {{ .root.Values.port }}}
{{- else -}}
httpGet: {host: {{ $host }}, port: {{ .root.Values.port }}, path: {{ .path }}}
{{- end }}
{{- end }}
