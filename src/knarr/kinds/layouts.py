"""The layouts of upstream's internal core types, in the notation of `internal.py`."""

LAYOUTS: dict[str, str] = {
    "PodSpec": """Volumes InitContainers Containers EphemeralContainers RestartPolicy' TerminationGracePeriodSeconds
        ActiveDeadlineSeconds DNSPolicy=dnsPolicy' NodeSelector ServiceAccountName' AutomountServiceAccountToken
        NodeName' SecurityContext{PodSecurityContext} ImagePullSecrets Hostname' Subdomain' SetHostnameAsFQDN Affinity
        SchedulerName' Tolerations HostAliases PriorityClassName' Priority PreemptionPolicy DNSConfig=dnsConfig
        ReadinessGates RuntimeClassName Overhead EnableServiceLinks TopologySpreadConstraints OS=os SchedulingGates
        ResourceClaims Resources HostnameOverride SchedulingGroup""",
    "PodSecurityContext": """HostNetwork! HostPID=hostPID! HostIPC=hostIPC! ShareProcessNamespace HostUsers
        SELinuxOptions=seLinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups
        SupplementalGroupsPolicy FSGroup=fsGroup FSGroupChangePolicy=fsGroupChangePolicy Sysctls SeccompProfile
        AppArmorProfile SELinuxChangePolicy=seLinuxChangePolicy""",
    "SecurityContext": """Capabilities Privileged SELinuxOptions=seLinuxOptions WindowsOptions RunAsUser RunAsGroup
        RunAsNonRoot ReadOnlyRootFilesystem AllowPrivilegeEscalation ProcMount SeccompProfile AppArmorProfile""",
    "Capabilities": "Add Drop",
    "SELinuxOptions": "User' Role' Type' Level'",
    "WindowsSecurityContextOptions": """GMSACredentialSpecName=gmsaCredentialSpecName
        GMSACredentialSpec=gmsaCredentialSpec RunAsUserName HostProcess""",
    "SeccompProfile": "Type' LocalhostProfile",
    "AppArmorProfile": "Type' LocalhostProfile",
    "Sysctl": "Name' Value'",
    "Container": """Name' Image' Command Args WorkingDir' Ports EnvFrom Env Resources{ResourceRequirements}
        ResizePolicy RestartPolicy RestartPolicyRules VolumeMounts VolumeDevices LivenessProbe ReadinessProbe
        StartupProbe Lifecycle TerminationMessagePath' TerminationMessagePolicy' ImagePullPolicy' SecurityContext
        Stdin! StdinOnce! TTY=tty!""",
    "EphemeralContainer": "*Container TargetContainerName'",
    "ContainerPort": "Name' HostPort# ContainerPort# Protocol' HostIP'",
    "ContainerResizePolicy": "ResourceName' RestartPolicy'",
    "EnvVar": "Name' Value' ValueFrom",
    "EnvVarSource": "FieldRef ResourceFieldRef ConfigMapKeyRef SecretKeyRef FileKeyRef",
    "EnvFromSource": "Prefix' ConfigMapRef SecretRef",
    "ConfigMapEnvSource": "Name' Optional",
    "SecretEnvSource": "Name' Optional",
    "ObjectFieldSelector": "APIVersion=apiVersion' FieldPath'",
    "ResourceFieldSelector": "ContainerName' Resource' Divisor'",
    "ConfigMapKeySelector": "Name' Key' Optional",
    "SecretKeySelector": "Name' Key' Optional",
    "FileKeySelector": "VolumeName' Path' Key' Optional",
    "ResourceRequirements": "Limits Requests Claims",
    "VolumeResourceRequirements": "Limits Requests",
    "ResourceClaim": "Name' Request'",
    "VolumeMount": """Name' ReadOnly! RecursiveReadOnly MountPath' SubPath' MountPropagation SubPathExpr'""",
    "VolumeDevice": "Name' DevicePath'",
    "Probe": """Exec HTTPGet=httpGet TCPSocket=tcpSocket GRPC=grpc InitialDelaySeconds# TimeoutSeconds# PeriodSeconds#
        SuccessThreshold# FailureThreshold# TerminationGracePeriodSeconds""",
    "ExecAction": "Command",
    "HTTPGetAction": "Path' Port# Host' Scheme' HTTPHeaders=httpHeaders",
    "HTTPHeader": "Name' Value'",
    "TCPSocketAction": "Port# Host'",
    "GRPCAction": "Port# Service'",
    "SleepAction": "Seconds#",
    "Lifecycle": "PostStart PreStop StopSignal",
    "LifecycleHandler": "Exec HTTPGet=httpGet TCPSocket=tcpSocket Sleep",
    "Toleration": "Key' Operator' Value' Effect' TolerationSeconds",
    "HostAlias": "IP=ip' Hostnames",
    "LocalObjectReference": "Name'",
    "PodReadinessGate": "ConditionType'",
    "PodSchedulingGate": "Name'",
    "PodOS": "Name'",
    "PodDNSConfig": "Nameservers Searches Options",
    "PodDNSConfigOption": "Name' Value",
    "PodResourceClaim": "Name' ResourceClaimName ResourceClaimTemplateName",
    "TopologySpreadConstraint": """MaxSkew# TopologyKey' WhenUnsatisfiable' LabelSelector MinDomains NodeAffinityPolicy
        NodeTaintsPolicy MatchLabelKeys""",
    "Affinity": "NodeAffinity PodAffinity PodAntiAffinity",
    "NodeAffinity": """RequiredDuringSchedulingIgnoredDuringExecution
        PreferredDuringSchedulingIgnoredDuringExecution""",
    "NodeSelector": "NodeSelectorTerms",
    "NodeSelectorTerm": "MatchExpressions MatchFields",
    "NodeSelectorRequirement": "Key' Operator' Values",
    "PreferredSchedulingTerm": "Weight# Preference",
    "PodAffinity": """RequiredDuringSchedulingIgnoredDuringExecution
        PreferredDuringSchedulingIgnoredDuringExecution""",
    "PodAntiAffinity": """RequiredDuringSchedulingIgnoredDuringExecution
        PreferredDuringSchedulingIgnoredDuringExecution""",
    "PodAffinityTerm": """LabelSelector Namespaces TopologyKey' NamespaceSelector MatchLabelKeys MismatchLabelKeys""",
    "WeightedPodAffinityTerm": "Weight# PodAffinityTerm",
    "Volume": """Name' HostPath EmptyDir GCEPersistentDisk=gcePersistentDisk AWSElasticBlockStore=awsElasticBlockStore
        GitRepo Secret NFS=nfs ISCSI=iscsi Glusterfs PersistentVolumeClaim RBD=rbd Quobyte FlexVolume Cinder
        CephFS=cephfs Flocker DownwardAPI FC=fc AzureFile ConfigMap VsphereVolume AzureDisk PhotonPersistentDisk
        Projected PortworxVolume ScaleIO StorageOS=storageos CSI=csi Ephemeral Image""",
    "HostPathVolumeSource": "Path' Type'",
    "EmptyDirVolumeSource": "Medium' SizeLimit",
    "SecretVolumeSource": "SecretName' Items DefaultMode Optional",
    "ConfigMapVolumeSource": "Name' Items DefaultMode Optional",
    "DownwardAPIVolumeSource": "Items DefaultMode",
    "ProjectedVolumeSource": "Sources DefaultMode",
    "VolumeProjection": "Secret DownwardAPI ConfigMap ServiceAccountToken ClusterTrustBundle PodCertificate",
    "SecretProjection": "Name' Items Optional",
    "ConfigMapProjection": "Name' Items Optional",
    "DownwardAPIProjection": "Items",
    "DownwardAPIVolumeFile": "Path' FieldRef ResourceFieldRef Mode",
    "ServiceAccountTokenProjection": "Audience' ExpirationSeconds# Path'",
    "KeyToPath": "Key' Path' Mode",
    "NFSVolumeSource": "Server' Path' ReadOnly!",
    "PersistentVolumeClaimVolumeSource": "ClaimName' ReadOnly!",
    "EphemeralVolumeSource": "VolumeClaimTemplate",
    "ImageVolumeSource": "Reference' PullPolicy'",
    "LocalVolumeSource": "Path' FSType=fsType",
    "CSIVolumeSource": "Driver' ReadOnly FSType=fsType VolumeAttributes NodePublishSecretRef",
    "PersistentVolumeClaimSpec": """AccessModes Selector Resources{VolumeResourceRequirements} VolumeName'
        StorageClassName VolumeMode DataSource DataSourceRef VolumeAttributesClassName""",
    "TypedLocalObjectReference": "APIGroup=apiGroup Kind' Name'",
    "TypedObjectReference": "APIGroup=apiGroup Kind' Name' Namespace",
    "PersistentVolumeSource": """GCEPersistentDisk=gcePersistentDisk AWSElasticBlockStore=awsElasticBlockStore HostPath
        Glusterfs NFS=nfs RBD=rbd Quobyte ISCSI=iscsi FlexVolume Cinder CephFS=cephfs FC=fc Flocker AzureFile
        VsphereVolume AzureDisk PhotonPersistentDisk PortworxVolume ScaleIO Local StorageOS=storageos CSI=csi""",
}
