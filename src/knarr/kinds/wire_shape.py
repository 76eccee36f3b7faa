"""What the JSON schemas do not say of upstream's Go types: which optional fields are no pointers, and a few names.

A plain field at its zero value is not encoded, a pointer's is; some plain fields are encoded always. `schema`
compiles these facts into its walkers. Entries are "Type.field"; types of several groups share them.
"""

PLAIN_INTEGERS = """
    CustomResourceColumnDefinition.priority CustomResourceDefinitionCondition.observedGeneration
    CustomResourceDefinitionStatus.observedGeneration ValidatingAdmissionPolicyStatus.observedGeneration
    DaemonSetSpec.minReadySeconds DaemonSetStatus.numberAvailable DaemonSetStatus.numberUnavailable
    DaemonSetStatus.observedGeneration DaemonSetStatus.updatedNumberScheduled DeploymentSpec.minReadySeconds
    DeploymentStatus.availableReplicas DeploymentStatus.observedGeneration DeploymentStatus.readyReplicas
    DeploymentStatus.replicas DeploymentStatus.unavailableReplicas DeploymentStatus.updatedReplicas
    ReplicaSetSpec.minReadySeconds ReplicaSetStatus.availableReplicas ReplicaSetStatus.fullyLabeledReplicas
    ReplicaSetStatus.observedGeneration ReplicaSetStatus.readyReplicas StatefulSetSpec.minReadySeconds
    StatefulSetStatus.currentReplicas StatefulSetStatus.observedGeneration StatefulSetStatus.readyReplicas
    StatefulSetStatus.updatedReplicas ScaleSpec.replicas HorizontalPodAutoscalerStatus.currentReplicas
    JobStatus.active JobStatus.failed JobStatus.succeeded AWSElasticBlockStoreVolumeSource.partition
    ContainerImage.sizeBytes ContainerPort.hostPort ContainerStateTerminated.signal Event.count EventSeries.count
    GCEPersistentDiskVolumeSource.partition PodCondition.observedGeneration PodStatus.observedGeneration
    Probe.failureThreshold Probe.initialDelaySeconds Probe.periodSeconds Probe.successThreshold Probe.timeoutSeconds
    ReplicationControllerSpec.minReadySeconds ReplicationControllerStatus.availableReplicas
    ReplicationControllerStatus.fullyLabeledReplicas ReplicationControllerStatus.observedGeneration
    ReplicationControllerStatus.readyReplicas ServicePort.nodePort ServiceSpec.healthCheckNodePort
    Event.deprecatedCount FlowSchemaSpec.matchingPrecedence QueuingConfiguration.handSize
    QueuingConfiguration.queueLengthLimit QueuingConfiguration.queues Condition.observedGeneration
    ObjectMeta.generation Status.code StatusDetails.retryAfterSeconds ServiceBackendPort.number
    PodDisruptionBudgetStatus.observedGeneration DeviceSubRequest.count ExactDeviceRequest.count
"""

PLAIN_BOOLEANS = """
    CustomResourceDefinitionSpec.preserveUnknownFields CustomResourceDefinitionVersion.deprecated
    JSONSchemaProps.exclusiveMaximum JSONSchemaProps.exclusiveMinimum JSONSchemaProps.nullable
    JSONSchemaProps.uniqueItems JSONSchemaProps.x-kubernetes-embedded-resource
    JSONSchemaProps.x-kubernetes-int-or-string APIServiceSpec.insecureSkipTLSVerify DeploymentSpec.paused
    TokenReviewStatus.authenticated SubjectAccessReviewStatus.denied Container.stdin Container.stdinOnce
    Container.tty EphemeralContainer.stdin EphemeralContainer.stdinOnce EphemeralContainer.tty
    ISCSIPersistentVolumeSource.chapAuthDiscovery ISCSIPersistentVolumeSource.chapAuthSession
    ISCSIVolumeSource.chapAuthDiscovery ISCSIVolumeSource.chapAuthSession ScaleIOPersistentVolumeSource.sslEnabled
    ScaleIOVolumeSource.sslEnabled NodeSpec.unschedulable VolumeMount.readOnly VolumeMountStatus.readOnly
    PodSpec.hostIPC PodSpec.hostNetwork PodSpec.hostPID ServiceSpec.publishNotReadyAddresses
    ResourcePolicyRule.clusterScope PriorityClass.globalDefault
"""

POINTER_VOLUME_SOURCES = {"CSIVolumeSource", "AzureDiskVolumeSource"}  # the only ones whose readOnly is a pointer

POINTER_STRINGS = """
    PersistentVolumeClaimSpec.storageClassName PersistentVolumeClaimSpec.volumeAttributesClassName
    PersistentVolumeSpec.volumeAttributesClassName PodSpec.runtimeClassName IngressSpec.ingressClassName
    LeaseSpec.holderIdentity EndpointPort.name Endpoint.hostname Endpoint.nodeName HostPathVolumeSource.type
    GRPCAction.service EndpointPort.appProtocol ServicePort.appProtocol
    TypedLocalObjectReference.apiGroup TypedObjectReference.apiGroup
"""

ALWAYS = """
    StatefulSetSpec.serviceName StatefulSetStatus.availableReplicas StatefulSetOrdinals.start
    ControllerRevision.revision PodDisruptionBudgetStatus.currentHealthy PodDisruptionBudgetStatus.desiredHealthy
    PodDisruptionBudgetStatus.disruptionsAllowed PodDisruptionBudgetStatus.expectedPods PriorityClass.value
    Event.reportingComponent Event.reportingInstance
    Container.resources EphemeralContainer.resources DeploymentSpec.strategy DaemonSetSpec.updateStrategy
    StatefulSetSpec.updateStrategy ContainerStatus.state ContainerStatus.lastState Event.source
    NodeStatus.nodeInfo NodeStatus.daemonEndpoints NodeDaemonEndpoints.kubeletEndpoint
    PersistentVolumeClaimSpec.resources ServiceStatus.loadBalancer Endpoint.conditions IngressStatus.loadBalancer
    NetworkPolicySpec.podSelector JobTemplateSpec.spec PodTemplateSpec.spec PodTemplate.template
    TokenReviewStatus.user IngressServiceBackend.port Event.deprecatedSource Event.regarding
    CronJobSpec.jobTemplate VolumeAttachmentSpec.source
"""

NOT_ALWAYS = {"CSINode.status"}  #: a status that is a pointer

#: required structs that are pointers: absent is not empty
POINTER_STRUCTS = {f"{kind}Spec.selector" for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")}

GO_NAMES = {
    "PodSpec.restartPolicy": "v1.RestartPolicy",
    "PodSpec.dnsPolicy": "v1.DNSPolicy",
    "Container.imagePullPolicy": "v1.PullPolicy",
    "Container.terminationMessagePolicy": "v1.TerminationMessagePolicy",
    "ContainerPort.protocol": "v1.Protocol",
    "ServicePort.protocol": "v1.Protocol",
    "ServiceSpec.type": "v1.ServiceType",
    "ServiceSpec.sessionAffinity": "v1.ServiceAffinity",
    "PodStatus.phase": "v1.PodPhase",
    "StatefulSetSpec.podManagementPolicy": "v1.PodManagementPolicyType",
    "StatefulSetUpdateStrategy.type": "v1.StatefulSetUpdateStrategyType",
    "DaemonSetUpdateStrategy.type": "v1.DaemonSetUpdateStrategyType",
    "DeploymentStrategy.type": "v1.DeploymentStrategyType",
    "CronJobSpec.concurrencyPolicy": "v1.ConcurrencyPolicy",
    "JobSpec.completionMode": "v1.CompletionMode",
    "PersistentVolumeClaimSpec.accessModes": "v1.PersistentVolumeAccessMode",
    "PersistentVolumeClaimSpec.volumeMode": "v1.PersistentVolumeMode",
    "PersistentVolumeSpec.accessModes": "v1.PersistentVolumeAccessMode",
    "PersistentVolumeSpec.persistentVolumeReclaimPolicy": "v1.PersistentVolumeReclaimPolicy",
    "Secret.type": "v1.SecretType",
    "ObjectMeta.uid": "types.UID",
    "OwnerReference.uid": "types.UID",
}

_PLAIN = frozenset([*PLAIN_INTEGERS.split(), *PLAIN_BOOLEANS.split()])
_POINTERS = frozenset(POINTER_STRINGS.split())
_ALWAYS = frozenset(ALWAYS.split())


def drops_zero(struct: str, name: str, type_: str) -> bool:
    """Whether an optional field's zero value is not encoded."""
    where = f"{struct}.{name}"
    if where in _ALWAYS:
        return False
    if type_ == "str":
        return where not in _POINTERS
    if name == "readOnly" and struct.endswith("VolumeSource"):
        return struct not in POINTER_VOLUME_SOURCES
    return where in _PLAIN


def always_there(struct: str, name: str, type_: str, top: bool) -> bool:
    """Whether an optional field is encoded even when nobody set it; `top`: the struct is a whole object."""
    where = f"{struct}.{name}"
    if name == "metadata" and "ObjectMeta" in type_:
        return True
    return where in _ALWAYS or (top and name in ("spec", "status") and "." in type_ and where not in NOT_ALWAYS)
